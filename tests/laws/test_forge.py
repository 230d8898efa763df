"""Laws of imitated images: the same numbers from the stored files, no leak, and DCGAN behind the same interface."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from torchstone.core.files import Arrays
from torchstone.core.params import load_params
from torchstone.core.schema import Images
from torchstone.core.streams import stream
from torchstone.core.trials import from_arrays
from torchstone.nets.convolutional import DCGANDiscriminators, DCGANGenerators
from torchstone.nets.population import pad_features
from torchstone.studies.gan import forge
from torchstone.studies.gan.classifier import JudgeNet, train_judges
from torchstone.studies.gan.images import Album, albums, chosen_rate, floors, measure, pixels, shown
from torchstone.studies.gan.training import Match, _players, new_pair, play

PARAMS = load_params(Path(__file__).parents[2] / "params.yaml")
GAMES = PARAMS.gan.games
NAMES = [("gan", "digits", r) for r in range(2)]
TASK = PARAMS.forge["digits"].model_copy(
    update={
        "replicates": 2, "hidden": [16], "batch": 16, "budgets": [2, 6], "samples": 40, "rates": [0.001, 0.1],
        "games": ["nonsaturating", "r1"],
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def rows() -> dict[str, Arrays]:
    x, y = load_digits(return_X_y=True)
    cut = {"train": slice(0, 200), "valid": slice(200, 260), "test": slice(260, 330)}
    return {
        name: {
            "x": np.stack([x[part], x[part.start + 400 : part.stop + 400]]).astype(np.float32),
            "y": np.stack([y[part], y[part.start + 400 : part.stop + 400]]),
            "classes": np.asarray(10),
        }
        for name, part in cut.items()
    }


@pytest.fixture(scope="module")
def judges(rows: dict[str, Arrays]) -> Any:
    train = np.stack([pixels(rows["train"]["x"][r])[0] for r in range(2)])
    return train_judges(train, rows["train"]["y"], 10, 30, 0, NAMES)


@pytest.fixture(scope="module")
def pages(rows: dict[str, Arrays], judges: Any) -> list[Album]:
    return albums(rows, judges, 2)


@pytest.fixture(scope="module")
def found(rows: dict[str, Arrays]) -> dict[str, Arrays]:
    return {name: play(match, 0, "cpu") for name, match in forge.matches(TASK, GAMES, rows)}


def test_pixels_lie_between_0_and_1_by_the_training_rows_alone() -> None:
    train, test = pixels(np.array([[-1.0, 3.0]]), np.array([[-5.0, 1.0]]))
    assert train.tolist() == [[0.0, 1.0]]
    assert test.tolist() == [[0.0, 0.5]]


def test_every_game_rate_and_replicate_is_played_once(rows: dict[str, Arrays], found: dict[str, Arrays]) -> None:
    assert sorted(found) == [f"{g}-{r}-0000" for g in ("nonsaturating", "r1") for r in ("0.001", "0.1")]
    for kept in found.values():
        assert kept["samples"].shape == (2, 2, 40, 64)
        assert kept["samples"].dtype == np.uint8


def test_games_never_see_a_validation_or_test_image(rows: dict[str, Arrays]) -> None:
    changed = {name: dict(arrays) for name, arrays in rows.items()}
    for name in ("valid", "test"):
        changed[name]["x"] = rows[name]["x"][:, ::-1] * 0.5
    one, other = (
        play(next(iter(forge.matches(TASK, GAMES, data)))[1], 0, "cpu")["samples"] for data in (rows, changed)
    )
    assert np.array_equal(one, other)


def test_validation_images_choose_the_rate_and_a_diverged_one_comes_last(pages: list[Album]) -> None:
    real = np.stack([(page.valid * 255).astype(np.uint8)[:40] for page in pages])[None]
    grey = np.full_like(real, 127)
    good, bad = ({"samples": s, "finite": np.ones((1, 2), bool)} for s in (real, grey))
    assert chosen_rate({0.1: bad, 0.2: good}, pages) == 0.2
    good["finite"] = np.array([[True, False]])
    assert chosen_rate({0.1: bad, 0.2: good}, pages) == 0.1


def test_trials_are_a_function_of_the_stored_arrays_alone(
    found: dict[str, Arrays], pages: list[Album], rows: dict[str, Arrays], judges: Any, tmp_path: Path
) -> None:
    from torchstone.core.files import read_arrays, write_arrays

    kept = forge.chosen(TASK, found, pages)
    jobs = forge.measurements(TASK, GAMES, kept, pages)
    whole = [trial for job in jobs.values() for trial in from_arrays(measure(*job))]
    flat = {f"{game}/{name}": value for game, (_, arrays) in kept.items() for name, value in arrays.items()}
    write_arrays(tmp_path / "kept.npz", flat | {"judges": judges})
    stored = read_arrays(tmp_path / "kept.npz")
    again = albums(rows, stored["judges"], 2)
    rebuilt = {
        game: (rate, {name.split("/")[1]: stored[name] for name in stored if name.startswith(f"{game}/")})
        for game, (rate, _) in kept.items()
    }
    recomputed = forge.measurements(TASK, GAMES, rebuilt, again)
    assert [trial for job in recomputed.values() for trial in from_arrays(measure(*job))] == whole
    metrics = {trial.metric for trial in whole}
    assert {"frechet", "kid", "precision", "recall", "density", "coverage", "parzen", "accuracy", "value"} <= metrics
    assert {trial.x for trial in whole} == {2.0, 6.0}


def test_the_floor_is_below_any_noise_and_a_judge_reads_digits(pages: list[Album]) -> None:
    trials = {(t.arm, t.replicate, t.metric): t.value for t in from_arrays(floors(pages, TASK, 0))}
    for r, page in enumerate(pages):
        noise = stream(0, "noise", r)
        worst = page.scores(torch.rand(40, 64, generator=noise).numpy())
        assert trials["real", r, "frechet"] < worst["frechet"] / 2
        assert trials["real", r, "judge_accuracy"] > 0.6  # of 200 training digits
        assert worst["coverage"] < trials["real", r, "coverage"]
        assert ("real", r, "log10_nearest_train") not in trials
    assert trials["at the optimum", 0, "accuracy"] == 0.5


def test_a_copy_lies_nearer_to_training_than_to_test_images(pages: list[Album]) -> None:
    page = pages[0]
    copies = page.scores(page.train[:40] * 0.99)
    assert copies["log10_nearest_test"] - copies["log10_nearest_train"] > 0.5


def test_a_judges_features_are_its_last_hidden_layer(judges: Any, pages: list[Album]) -> None:
    images = pages[1].test[:7]
    features = JudgeNet(judges[1], 64, 10).features(images)
    assert features.shape == (7, 64)
    assert (features >= 0).all()
    assert np.array_equal(features, pages[1].judge.features(images))


def test_pictures_follow_one_noise_down_a_column(found: dict[str, Arrays], pages: list[Album]) -> None:
    kept = forge.chosen(TASK, found, pages)
    pictures = forge.pictures(TASK, kept, pages)
    assert pictures["final"].shape == (3, 10, 8, 8)
    assert pictures["final_rows"].tolist() == ["nonsaturating", "r1", "real"]
    assert pictures["r1"].shape == (3, 10, 8, 8)
    assert pictures["r1_rows"].tolist() == ["2 updates", "6 updates", "real"]
    assert np.array_equal(pictures["r1"][1].reshape(10, 64), kept["r1"][1]["samples"][1, 0, :10])
    fake, training, test = pictures["r1 nearest"]
    assert np.array_equal(fake, pictures["final"][1])
    for images, others in ((training, pages[0].train[:70]), (test, pages[0].test)):
        nearest = others[np.linalg.norm(others - shown(fake[3].ravel()), axis=1).argmin()]
        np.testing.assert_allclose(shown(images[3].ravel()), nearest, atol=0.5 / 255)
    np.testing.assert_allclose(shown(pictures["final"][2, 0].ravel()), pages[0].train[0], atol=0.5 / 255)


# ---------------------------------------------------------------- DCGAN

CONV: Images = TASK.model_copy(update={"net": "dcgan", "hidden": [4, 6], "rates": [0.01], "games": list(GAMES)})


@pytest.mark.parametrize("name", list(GAMES))
def test_dcgan_plays_every_game_and_learns(name: str, rows: dict[str, Arrays]) -> None:
    both = tuple(np.stack([pixels(rows["train"]["x"][r], rows["test"]["x"][r])[k] for r in range(2)]) for k in (0, 1))
    one = Match("digits", GAMES[name], CONV, 0.01, range(2), (both[0], both[1]))
    pair = new_pair(one, 0)
    assert all(player.gradient is None for player in _players(pair, one))
    kept = play(one, 0, "cpu")
    assert kept["samples"].shape == (2, 2, 40, 64)
    assert kept["finite"].all()
    assert not np.array_equal(kept["samples"][0], kept["samples"][1])
    alone = play(Match("digits", GAMES[name], CONV, 0.01, [1], (both[0][1:], both[1][1:])), 0, "cpu")
    np.testing.assert_array_equal(kept["samples"][:, 1], alone["samples"][:, 0])


def test_dcgan_is_the_stack_of_torchs_own_layers() -> None:
    nets = DCGANGenerators(2, 8, 5, [3, 4])
    nets.initialise([stream(0, "g", r) for r in range(2)])
    noise = pad_features(torch.randn(2, 6, 5, generator=stream(0, "z")))
    for r in range(2):
        x = (noise[r, :, :5] @ nets.weights[0][r]).view(6, 4, 2, 2)
        for depth, (inputs, outputs) in enumerate(((4, 3), (3, 1))):
            x = torch.relu(torch.nn.BatchNorm2d(inputs, track_running_stats=False)(x))
            layer = torch.nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
            layer.weight.data = nets.weights[depth + 1][r].detach()
            x = layer(x)
        torch.testing.assert_close(nets(noise)[r], x.flatten(1))
    judge = DCGANDiscriminators(2, 8, 1, [3, 4])
    judge.initialise([stream(0, "d", r) for r in range(2)])
    assert judge(nets(noise)).shape == (2, 6, 1)


def test_an_image_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(ValueError, match="an image of 10 pixels a side cannot be halved 2 times"):
        DCGANGenerators(1, 10, 4, [3, 4])
