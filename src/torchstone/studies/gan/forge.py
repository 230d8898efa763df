"""The games on one set of images: what is played, at which rates, and what is shown of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist

from torchstone.core.files import Arrays
from torchstone.core.schema import Game, Images
from torchstone.studies.gan.images import Album, Array, chosen_rate, pixels, shown
from torchstone.studies.gan.training import Match, pieces

COLUMNS = 10  # fakes in a row of a picture


def matches(task: Images, games: Mapping[str, Game], rows: Mapping[str, Arrays]) -> Iterator[tuple[str, Match]]:
    """Yield a name and a match for each game, rate and piece of the replicates, the longest first.

    The training images are what is imitated; the first test images are those that the police are asked about
    afterwards. No test image is ever played with or chooses anything.
    """
    sets = [pixels(rows["train"]["x"][r], rows["test"]["x"][r]) for r in range(task.replicates)]
    parts = []
    for piece in pieces(task):  # made once, for the games and rates share them
        mine = sets[piece.start : piece.stop]
        parts.append((piece, (np.stack([train for train, _ in mine]), np.stack([test for _, test in mine]))))
    order = sorted(task.games, key=lambda name: -games[name].critic_steps * games[name].pack)
    for name in order:
        for rate in task.rates:
            for piece, both in parts:
                yield f"{name}-{rate:g}-{piece.start:04d}", Match(task.dataset, games[name], task, rate, piece, both)


def chosen(task: Images, found: Mapping[str, Arrays], pages: list[Album]) -> dict[str, tuple[float, Arrays]]:
    """Return each game's rate, chosen by validation images, and what was kept of it, [budget, replicate, ...]."""
    best = {}
    for game in task.games:
        by_rate = {}
        for rate in task.rates:
            parts = [found[f"{game}-{rate:g}-{piece.start:04d}"] for piece in pieces(task)]
            by_rate[rate] = {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}
        rate = chosen_rate(by_rate, pages)
        best[game] = (rate, by_rate[rate])
    return best


def measurements(
    task: Images, games: Mapping[str, Game], kept: Mapping[str, tuple[float, Arrays]], pages: list[Album]
) -> dict[str, tuple[Any, ...]]:
    """Return the arguments of ``images.measure`` for each game and replicate, by name."""
    return {
        f"measure-{name}-{r:04d}": (
            name, {key: values[:, r : r + 1] for key, values in arrays.items()}, games[name], rate, page, task, r
        )
        for name, (rate, arrays) in kept.items()
        for r, page in enumerate(pages)
    }  # fmt: skip


def pictures(task: Images, kept: Mapping[str, tuple[float, Arrays]], pages: list[Album]) -> Arrays:
    """Return the first replicate's fakes as pictures, [row, column, height, width], bytes.

    ``GAME``: one noise a column, one budget a row, and real training images at the bottom. ``GAME nearest``: fakes at
    the last budget, and below each the nearest training and the nearest test image. ``final``: one game a row.
    """
    page = pages[0]
    real, n = page.train[:COLUMNS], min(len(page.train), len(page.test))
    names = [f"{budget:,} updates" for budget in task.budgets]
    found: Arrays = {}
    last: list[Array] = []
    for game, (_, arrays) in kept.items():
        fakes = arrays["samples"][:, 0, :COLUMNS]
        last.append(fakes[-1])
        found[game] = np.concatenate([fakes, _bytes(real)[None]])
        found[f"{game}_rows"] = np.asarray([*names, "real"])
        beside = [
            _bytes(others[cdist(shown(fakes[-1]), others).argmin(axis=1)]) for others in (page.train[:n], page.test[:n])
        ]
        found[f"{game} nearest"] = np.stack([fakes[-1], *beside])
        found[f"{game} nearest_rows"] = np.asarray(["fake", "nearest training image", "nearest test image"])
    found["final"] = np.stack([*last, _bytes(real)])
    found["final_rows"] = np.asarray([*kept, "real"])
    side = round(real.shape[1] ** 0.5)
    return {
        name: array if array.dtype.kind == "U" else array.reshape(*array.shape[:-1], side, side)
        for name, array in found.items()
    }


def _bytes(images: Array) -> Array:
    made: Array = (images * 255).round().astype(np.uint8)
    return made
