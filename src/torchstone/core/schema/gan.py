"""Generative adversarial networks: the sections gan, exact and forge."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from torchstone.core.errors import near_miss
from torchstone.core.schema.prepare import Generated, Prepare
from torchstone.core.schema.section import Count, Positive, Section

Moment = Annotated[float, Field(ge=0.0, lt=1.0)]


class Game(Section):
    """The rules of one game; in the plane a stage gan@KEY."""

    loss: Literal["minimax", "nonsaturating", "wasserstein"] = Field(description="what the players want")
    pack: Count = Field(description="samples that the discriminator judges together")
    critic_steps: Count = Field(description="discriminator updates to one generator update")
    penalty: Literal["none", "r1", "slope"] = Field(
        description="on the discriminator's gradient: r1 at real samples, slope 1 between real and fake"
    )
    strength: float = Field(ge=0.0, description="weight of the penalty: gamma of R1, lambda of WGAN-GP")
    betas: list[Moment] = Field(min_length=2, max_length=2, description="Adam's decay rates")


class Task(Section):
    """What is imitated, by which networks, for how long."""

    replicates: int = Field(ge=2, description="pairs of a game, trained together")
    net: Literal["mlp", "dcgan"] = Field(description="kind of both networks")
    noise: Count = Field(description="numbers that the generator starts from")
    hidden: list[Count] = Field(
        min_length=1, description="hidden widths of both; of dcgan the channels, from the image inwards"
    )
    batch: Count = Field(description="real samples (packs) in a mini-batch, and as many fakes")
    rates: list[Positive] = Field(
        min_length=1, description="Adam's rates, of which each game takes the best by validation"
    )
    budgets: list[Count] = Field(min_length=2, description="generator updates at which samples are kept and measured")
    samples: int = Field(ge=16, description="samples kept of each generator at each budget")


class Plane(Task):
    """The task in the plane, for every row of ``games``."""

    datasets: list[Literal["ring", "grid"]] = Field(min_length=1, description="what is imitated")


class Images(Task):
    """One set of images, a stage forge@KEY."""

    dataset: str = Field(description="one of the data sets that prepare makes")
    games: list[str] = Field(min_length=1, description="rows of gan.games that are played")
    judge_epochs: Count = Field(description="passes of the small classifier in whose features fakes are compared")


class Exact(Section):
    """Games with a known answer."""

    updates: Count = Field(description="of the discriminator of two known densities")
    orbit: Count = Field(description="updates of the Dirac-GAN")
    step: float = Field(gt=0.0, lt=1.0, description="its largest learning rate")
    gamma: float = Field(gt=0.0, description="its R1 penalty")


class Gan(Section):
    """Generative adversarial networks: the games, and the plane."""

    plane: Plane = Field(description="the ring and the grid")
    games: dict[str, Game] = Field(description="one row a game: the stages gan@KEY")


def _check_task(task: Task, where: str) -> None:
    if sorted(set(task.budgets)) != task.budgets:
        raise ValueError(f"{where}.budgets: they must rise")


def check_games(gan: Gan, forge: dict[str, Images], prepare: Prepare) -> None:
    """Refuse games that contradict themselves, and images of unknown games or data."""
    for name, game in gan.games.items():
        if (game.penalty == "none") != (game.strength == 0):
            raise ValueError(f"gan.games.{name}.strength = {game.strength:g}: goes with a penalty, and with one only")
    _check_task(gan.plane, "gan.plane")
    if gan.plane.net != "mlp" or len(gan.plane.rates) != 1:
        raise ValueError("gan.plane: mlp and one rate, for nothing is chosen there")
    for key, images in forge.items():
        where = f"forge.{key}"
        _check_task(images, where)
        row = prepare.row(images.dataset, where)
        if isinstance(row, Generated):
            raise ValueError(f"{where}.dataset: '{images.dataset}' has no images")
        if images.replicates > row.replicates:
            raise ValueError(f"{where}.replicates = {images.replicates}: prepare makes {row.replicates}")
        if key.split("-")[0] != images.dataset:
            raise ValueError(f"{where}: begin its name with '{images.dataset}', its data set")
        for name in images.games:
            if name not in gan.games:
                raise ValueError(f"{where}.games: no game '{name}'; {near_miss(name, gan.games)}")
