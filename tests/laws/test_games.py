"""Laws of the games: written-out gradients, two players that leave each other alone, and games with a known end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from torchstone.core.params import load_params
from torchstone.core.resume import Resume
from torchstone.core.schema import Game, Gan, Plane
from torchstone.core.streams import stream
from torchstone.learn.fit import Checkpoint
from torchstone.nets.passes import GeneratorPopulation
from torchstone.nets.population import MLPPopulation, pad_features
from torchstone.studies.gan import games
from torchstone.studies.gan.pair import MLPPair, Pair
from torchstone.studies.gan.targets import Deal, Deals, PlaneSource
from torchstone.studies.gan.training import Match, _players, new_pair, play

ROOT = Path(__file__).parents[2]
GAN: Gan = load_params(ROOT / "params.yaml").gan
GAMES = list(GAN.games)
LOSSES = ["minimax", "nonsaturating", "wasserstein"]
PLANE = GAN.plane.model_copy(update={"replicates": 3, "batch": 8, "budgets": [2, 5], "samples": 16, "hidden": [20, 12]})


def match(name: str, replicates: Sequence[int] = range(3), plane: Plane = PLANE) -> Match:
    return Match("ring", GAN.games[name], plane, 0.01, replicates)


def deal_of(one: Match, step: int = 0) -> Deal:
    source = PlaneSource(one.dataset, PLANE, one.game, 0, one.names(), "cpu")
    return Deals(source, one.task, one.game, 0, one.names(), "cpu")(step)


def pair_of(one: Match) -> MLPPair:
    pair = new_pair(one, 0)
    assert isinstance(pair, MLPPair)
    return pair


def gradients(net: torch.nn.Module) -> list[Tensor]:
    return [leaf.grad.clone() for leaf in net.parameters() if leaf.grad is not None]


# ---------------------------------------------------------------- gradients


@pytest.mark.parametrize("loss", LOSSES)
def test_the_signals_are_the_derivatives_of_the_losses(loss: str) -> None:
    logits = (3 * torch.randn(2, 10, generator=stream(0, "logits"))).requires_grad_()
    (found,) = torch.autograd.grad(games.discriminator_loss(loss, logits[:, :5], logits[:, 5:]).sum(), logits)
    torch.testing.assert_close(games.discriminator_signal(loss, logits.detach()), found)
    (found,) = torch.autograd.grad(games.generator_loss(loss, logits).sum(), logits)
    torch.testing.assert_close(games.generator_signal(loss, logits.detach()), found)


@pytest.mark.parametrize("kind", ["r1", "slope"])
def test_the_penalties_have_their_derivatives(kind: str) -> None:
    slopes = torch.randn(2, 6, 4, generator=stream(0, "slopes")).requires_grad_()
    (found,) = torch.autograd.grad(games.penalty(kind, slopes).sum(), slopes)
    torch.testing.assert_close(games.penalty_signal(kind, slopes.detach()), found)


def test_the_published_penalties() -> None:
    slopes = torch.tensor([[[3.0, 4.0], [0.0, 0.0]]])
    assert games.penalty("r1", slopes).item() == pytest.approx(25 / 2 / 2)  # gamma / 2 E |grad|^2, gamma 1
    assert games.penalty("slope", slopes).item() == pytest.approx((16 + 1) / 2)  # E (|grad| - 1)^2


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("name", GAMES)
def test_the_written_gradients_are_those_of_autograd(name: str, bounded: bool) -> None:
    one = match(name)
    players = _players(pair := pair_of(one), one)
    pair.bounded = bounded
    deal = deal_of(one)
    for player in players:
        assert player.gradient is not None
        player.gradient(deal)
        written = player.optimiser.gradient.clone()
        player.optimiser.zero()
        torch.autograd.backward(player.loss(deal).sum(), inputs=player.optimiser.leaves)
        torch.testing.assert_close(written, player.optimiser.gradient, rtol=2e-4, atol=2e-6)
        assert written.abs().max() > 1e-4


@pytest.mark.parametrize("loss", LOSSES[:2])
def test_both_gradients_of_a_generator_are_those_of_autograd(loss: str) -> None:
    one = match("pac2")
    pair = pair_of(one)
    _players(pair, one)
    noise = deal_of(one).last
    pair.generator_gradient(noise, loss)
    written = gradients(pair.generator)
    Pair.generator_gradient(pair, noise, loss)
    for ours, theirs in zip(written, gradients(pair.generator), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("name", GAMES)
def test_no_turn_of_one_player_reaches_the_other(name: str, written: bool) -> None:
    one = match(name)
    *police, forger = _players(pair := pair_of(one), one)
    deal = deal_of(one)
    for moving, net, other in (
        (police[0], pair.discriminator, pair.generator),
        (forger, pair.generator, pair.discriminator),
    ):
        for leaf in other.parameters():
            assert leaf.grad is not None
            leaf.grad.fill_(3.0)
        still = [leaf.detach().clone() for leaf in other.parameters()]
        moved = [leaf.detach().clone() for leaf in net.parameters()]
        player = moving if written else type(moving)(moving.optimiser, moving.loss)
        player.step(deal)
        assert all((leaf.grad == 3.0).all() for leaf in other.parameters() if leaf.grad is not None)
        assert all(torch.equal(a, b) for a, b in zip(still, other.parameters(), strict=True))
        assert not all(torch.equal(a, b) for a, b in zip(moved, net.parameters(), strict=True))


@pytest.mark.parametrize("name", GAMES)
def test_padding_stays_empty(name: str) -> None:
    one = match(name)
    players, deal = _players(pair := pair_of(one), one), deal_of(one)
    for _ in range(5):
        for player in players:
            player.step(deal)
    for net in (pair.generator, pair.discriminator):
        own = net.own_entries(list(net.parameters()))
        for leaf, mine in zip(net.parameters(), own, strict=True):
            total = leaf.detach()[leaf.detach() != -1e9].abs().sum()
            torch.testing.assert_close(total, mine.detach().abs().sum())
    assert not pair.make(deal.last)[..., 2:].any()


# ---------------------------------------------------------------- packs


def test_a_pack_puts_samples_of_both_halves_side_by_side_and_comes_apart_again() -> None:
    pair = pair_of(match("pac2"))
    x = pad_features(torch.arange(2.0 * 6 * 2).view(2, 6, 2))
    packed = pair.packed(x)
    assert packed.shape == (2, 3, 16)
    assert packed[0, 1, :4].tolist() == [*x[0, 1, :2].tolist(), *x[0, 4, :2].tolist()]
    assert torch.equal(pair.unpacked(packed), x)


def test_a_pack_of_one_is_no_pack() -> None:
    pair = pair_of(match("nonsaturating"))
    x = torch.randn(1, 4, 16, generator=stream(0, "x"))
    assert pair.packed(x) is x
    assert pair.unpacked(x) is x


def test_gradients_reach_both_members_of_a_pack() -> None:
    one = match("pac2", range(1))
    pair = pair_of(one)
    _players(pair, one)
    noise = deal_of(one).last.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(pair.logits(pair.make(noise)).sum(), noise)
    half = noise.shape[1] // 2
    assert slopes[0, :half].abs().sum() > 0
    assert slopes[0, half:].abs().sum() > 0


# ---------------------------------------------------------------- populations


@pytest.mark.parametrize("name", ["pac2", "wgan-gp"])
def test_a_replicate_does_not_depend_on_its_neighbours(name: str) -> None:
    together, alone = play(match(name), 0, "cpu"), play(match(name, [2]), 0, "cpu")
    for key, value in together.items():
        assert np.array_equal(value[:, 2], alone[key][:, 0]), key


def test_all_games_see_the_same_real_samples_and_noise() -> None:
    first, *others = (deal_of(match(name), 3) for name in GAMES)
    for deal in others:
        assert torch.equal(deal.real[0, :, :8], first.real[0])
        assert torch.equal(deal.noise[0, :, :8], first.noise[0])
        assert torch.equal(deal.last[:, :8], first.last)


def test_all_games_start_from_the_same_generator() -> None:
    nets = [pair_of(match(name)).generator for name in GAMES]
    for net in nets[1:]:
        assert all(torch.equal(a, b) for a, b in zip(nets[0].parameters(), net.parameters(), strict=True))


def test_turns_members_steps_and_replicates_are_all_different_draws() -> None:
    deal, later = deal_of(match("wgan-gp")), deal_of(match("wgan-gp"), 1)
    rows = torch.cat([deal.noise.flatten(0, 2), later.noise.flatten(0, 2), deal.last.flatten(0, 1)])
    assert len(torch.unique(rows, dim=0)) == len(rows)


def test_a_killed_game_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    class Deadly(Checkpoint):
        def save(self, *arguments: object) -> None:
            super().save(*arguments)  # type: ignore[arg-type]
            if self.last and arguments[0] == 3:
                raise Killed

    whole = play(match("wgan-gp"), 0, "cpu")
    resume = Resume(tmp_path)
    with pytest.raises(Killed):
        play(match("wgan-gp"), 0, "cpu", Deadly(resume, "state", every=0.0))
    again = play(match("wgan-gp"), 0, "cpu", Checkpoint(resume, "state"))
    assert all(np.array_equal(whole[name], again[name]) for name in whole)


# ---------------------------------------------------------------- games with a known end


def test_a_planted_optimum_is_found() -> None:
    """A generator that shifts its noise, a linear police: the shift that fools it is the data's mean."""
    game = Game(loss="nonsaturating", pack=1, critic_steps=1, penalty="r1", strength=1.0, betas=[0.5, 0.999])
    shift = torch.tensor([0.7, -1.3])

    def source(step: int) -> Tensor:
        drawn = [0.5 * torch.randn(64, 2, generator=stream(0, "real", r, step)) + shift for r in range(2)]
        return pad_features(torch.stack(drawn))[None]

    plane = PLANE.model_copy(update={"batch": 64})
    one = Match("ring", game, plane, 0.01, range(2))
    pair = MLPPair(GeneratorPopulation(2, (2, 2)), MLPPopulation(2, (2, 16, 1)), 2, game, False)
    pair.discriminator.initialise([stream(0, "init", r) for r in range(2)], "kaiming_normal")
    with torch.no_grad():
        pair.generator.layers[0].weight[:, :2, :2] = 0.5 * torch.eye(2)  # type: ignore[operator]
    deals = Deals(source, plane, game, 0, one.names(), "cpu")
    players = _players(pair, one)
    for step in range(600):
        for player in players:
            player.step(deals(step))
    means = torch.stack([pair.make(deals(step).last)[..., :2].mean(1) for step in range(600, 640)]).mean(0)
    torch.testing.assert_close(means, shift.expand(2, 2), atol=0.15, rtol=0)


def test_the_value_of_indifferent_police_is_minus_log_4() -> None:
    from torchstone.studies.gan.scores import OPTIMUM, police

    found = police(np.zeros(7), np.zeros(9))
    assert found["value"] == pytest.approx(-np.log(4))
    assert found["real_output"] == found["fake_output"] == 0.5
    assert OPTIMUM["value"] == pytest.approx(found["value"])
    sure = police(np.full(5, 50.0), np.full(5, -50.0))
    assert sure["accuracy"] == 1.0
    assert sure["value"] == pytest.approx(0.0, abs=1e-9)


def test_the_losses_are_the_published_ones() -> None:
    real, fake = torch.tensor([[2.0]]), torch.tensor([[-1.0]])
    d_real, d_fake = torch.sigmoid(real), torch.sigmoid(fake)
    value = torch.log(d_real) + torch.log(1 - d_fake)
    assert games.discriminator_loss("minimax", real, fake).item() == pytest.approx(-value.item())
    assert games.generator_loss("minimax", fake).item() == pytest.approx(torch.log(1 - d_fake).item())
    assert games.generator_loss("nonsaturating", fake).item() == pytest.approx(-torch.log(d_fake).item())
    assert games.discriminator_loss("wasserstein", real, fake).item() == pytest.approx(-3.0)


def test_where_the_police_are_sure_minimax_has_no_gradient_left() -> None:
    sure = torch.full((1, 4), -20.0)
    weak, strong = games.generator_signal("minimax", sure), games.generator_signal("nonsaturating", sure)
    assert weak.abs().sum() < 1e-7
    assert strong.abs().sum() == pytest.approx(1.0)
