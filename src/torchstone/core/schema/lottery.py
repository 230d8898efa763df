"""Lottery tickets: the sections prune, control and depth."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Literal

from pydantic import Field

from torchstone.core.errors import near_miss
from torchstone.core.schema.prepare import Generated, Prepare
from torchstone.core.schema.section import Count, Positive, Section, Share

Control = Literal[
    "control", "twin", "reinit", "shuffled", "random", "oneshot", "signs", "finetuned",
]  # fmt: skip


class PruneTask(Section):
    """How networks learn one data set in the lottery study."""

    replicates: int = Field(ge=2, description="the first so many of the data set's replicates")
    hidden: list[Count] = Field(min_length=1, description="hidden widths, rectified")
    init: Literal["glorot_normal", "glorot_uniform", "kaiming_normal"] = Field(
        description="how the first weights are drawn; biases start at zero"
    )
    rule: Literal["sgd", "adam"] = Field(description="optimiser")
    momentum: float = Field(ge=0.0, lt=1.0, description="of SGD; Adam has its own")
    learning_rate: Positive = Field(description="rate")
    batch: Count = Field(description="rows in a mini-batch")
    updates: Count = Field(description="updates of every training, dense or sparse")
    look: Count = Field(description="updates between two looks at the validation rows")
    window: int = Field(ge=1, description="looks that are averaged to smooth a validation curve; an odd number")
    accuracy: Share = Field(description="the fixed validation accuracy that a network must reach")
    rewind: Count = Field(description="updates after which a rewound ticket's weights are taken from the dense net")
    shape: list[Count] = Field(
        min_length=2, max_length=2, description="rows and columns in which an input's features lie; 1 row for a signal"
    )


class Round(Section):
    """One round of pruning, a stage prune@KEY."""

    after: str = Field(description="the round whose mask and weights it takes over; start for the first")


class Prune(Section):
    """Lottery tickets: train, prune, reset, again."""

    dataset: str = Field(description="one of the tasks; another one makes another experiment")
    scope: Literal["layer", "all"] = Field(
        description="smallest weights of each hidden layer on its own, or of all hidden layers together"
    )
    rate: Share = Field(description="share of the remaining hidden weights that a round removes")
    output_rate: Share = Field(description="the same of the output layer")
    tasks: dict[str, PruneTask] = Field(description="one row a data set")
    rounds: dict[str, Round] = Field(min_length=1, description="one row a round: the stages prune@KEY")


class Controls(Section):
    """Lottery tickets: what a ticket must beat."""

    rounds: list[str] = Field(description="rounds at whose masks it is measured: the stages control@KEY")
    arms: list[Control] = Field(description="control and twin are trained at r00 too, the others at sparse rounds only")
    points: int = Field(ge=3, description="points on the line between two trained twins")


class Depth(Section):
    """Lottery tickets: how far may one prune?"""

    margins: dict[str, Positive] = Field(description="loss of test accuracy that counts as none, by data set")


def check_prune(prune: Prune, prepare: Prepare, depth: Depth) -> None:
    """Refuse a task that does not fit its data set, and a data set without task or margin."""
    if prune.dataset not in prune.tasks:
        raise ValueError(f"prune.dataset = {prune.dataset}: no such task; {near_miss(prune.dataset, prune.tasks)}")
    for name, task in prune.tasks.items():
        where = f"prune.tasks.{name}"
        row = prepare.row(name, where)
        if task.replicates > row.replicates:
            raise ValueError(f"{where}.replicates = {task.replicates}: prepare.{name} makes {row.replicates}")
        if isinstance(row, Generated) and task.batch > row.train:
            raise ValueError(f"{where}.batch = {task.batch}: prepare.{name} makes {row.train} training rows")
        if task.window % 2 == 0:
            raise ValueError(f"{where}.window = {task.window}: an odd number has a middle; take {task.window + 1}")
        if task.rewind + task.window * task.look > task.updates:
            raise ValueError(
                f"{where}.updates = {task.updates}: {task.window} looks take {task.window * task.look} updates, "
                f"and a rewound ticket has {task.rewind} behind it"
            )
        if prod(task.shape) < 2:
            raise ValueError(f"{where}.shape = {task.shape}: give the rows and columns of an input")
        if name not in depth.margins:
            raise ValueError(f"depth.margins: no row '{name}'; every task needs one")


def check_rounds(prune: Prune, controls: Controls) -> None:
    """Refuse rounds that are no chain, and controls of a round that is not pruned."""
    keys = list(prune.rounds)
    for number, key in enumerate(keys):
        if key != f"r{number:02d}":
            raise ValueError(f"prune.rounds.{key}: call it 'r{number:02d}'; rounds count from r00 without a gap")
    for before, key in pairwise(["start", *keys]):
        if prune.rounds[key].after != before:
            raise ValueError(f"prune.rounds.{key}.after = {prune.rounds[key].after}: it follows '{before}'")
    for key in controls.rounds:
        if key not in prune.rounds:
            raise ValueError(f"control.rounds: no round '{key}'; {near_miss(key, prune.rounds)}")
    if "signs" in controls.arms and "reinit" not in controls.arms:
        raise ValueError("control.arms: add 'reinit': 'signs' is measured against it")
    for name, given in (("rounds", controls.rounds), ("arms", controls.arms)):
        if len(set(given)) < len(given):
            raise ValueError(f"control.{name} = {given}: one is given twice")
