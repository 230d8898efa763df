"""Batch size, sharp and flat minima: the sections sweep, minima, cost and recommend."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from torchstone.core.errors import near_miss
from torchstone.core.schema.prepare import Generated, Prepare
from torchstone.core.schema.section import Count, Positive, Section

Treatment = Literal[
    "plain", "linear rate", "square-root rate", "equal updates", "ghost norm", "all three", "tuned", "control"
]


class Task(Section):
    """How networks learn one data set in the batch-size study; also a stage minima@KEY, cost@KEY and recommend@KEY."""

    replicates: int = Field(ge=2, description="the first so many of the data set's replicates")
    rows: int = Field(ge=4, description="training rows used, the first of each replicate")
    hidden: list[Count] = Field(min_length=1, description="hidden widths, each batch-normalised and rectified")
    rule: Literal["sgd", "adam"] = Field(description="optimiser")
    momentum: float = Field(ge=0.0, lt=1.0, description="of SGD; Adam has its own")
    learning_rate: float = Field(gt=0.0, description="rate of the plain arm, and of all arms at the reference size")
    rates: list[Positive] = Field(
        min_length=1, description="rates among which the tuned arm chooses, beside the plain and the scaled ones"
    )
    reference: int = Field(ge=2, description="the small batch, from which scaled rates and equal updates start")
    ghost: int = Field(ge=2, description="rows that share their normalisation statistics in the ghost arms")
    updates: Count = Field(
        description="updates of the equal-updates arms, about what the plain arm takes at the reference"
    )
    target: float = Field(gt=0.0, description="training loss, in nats, below which nothing is left to gain")
    patience: Count = Field(description="looks at the training loss without a new lowest one after which it is stuck")
    most_updates: Count = Field(description="cap on the updates of a run to convergence")
    most_epochs: Count = Field(description="cap on its epochs; the lower of the two counts")
    arms: list[Treatment] = Field(min_length=1, description="what is done about a large batch; plain is nothing")


class SweepCell(Section):
    """One batch size on one data set, a stage sweep@KEY."""

    dataset: str = Field(description="one of the tasks")
    batch: int = Field(ge=2, description="rows in a mini-batch; 1 cannot be batch-normalised")


class Sweep(Section):
    """Batch size and sharp minima: what is trained."""

    tasks: dict[str, Task] = Field(description="one row a data set")
    cells: dict[str, SweepCell] = Field(description="one row a data set and batch size: the stages sweep@KEY")

    def sizes(self, dataset: str) -> list[int]:
        """Return the batch sizes of a task, rising."""
        return sorted(cell.batch for cell in self.cells.values() if cell.dataset == dataset)


class Minima(Section):
    """Batch size and sharp minima: what is measured around the minima."""

    sizes: dict[str, list[int]] = Field(description="batch sizes whose minima are measured, by data set")
    eps: list[Annotated[float, Field(gt=0.0, lt=1.0)]] = Field(
        min_length=1, description="half-widths of Keskar's box; the first is the one of the converged value"
    )
    dimensions: Count = Field(description="of the random subspace")
    probes: int = Field(ge=2, description="Hutchinson's random vectors for the trace")
    alphas: list[float] = Field(
        min_length=3, description="points on the line from the reference's minimum to that of the largest size"
    )
    rescale: float = Field(gt=0.0, description="Dinh's factor on the last hidden layer")


class Cost(Section):
    """Batch size: time and memory."""

    sizes: list[Count] = Field(min_length=4, description="batch sizes that are timed")
    repeats: int = Field(ge=2, description="processes a size")
    seconds: float = Field(gt=0.0, description="a measurement lasts at least so long")


class Recommend(Section):
    """Batch size: which to take."""

    margins: dict[str, Positive] = Field(description="loss of test accuracy that counts as none, by data set")


def check_tasks(sweep: Sweep, prepare: Prepare, recommend: Recommend) -> None:
    """Refuse a task of a data set that ``prepare`` does not make, or that has fewer rows or replicates."""
    for name, task in sweep.tasks.items():
        where = f"sweep.tasks.{name}"
        row = prepare.row(name, where)
        if task.replicates > row.replicates:
            raise ValueError(f"{where}.replicates = {task.replicates}: prepare.{name} makes {row.replicates}")
        if isinstance(row, Generated) and task.rows > row.train:
            raise ValueError(f"{where}.rows = {task.rows}: prepare.{name} makes {row.train} training rows")
        if 2 * task.reference > task.rows:
            raise ValueError(f"{where}.reference = {task.reference}: more than half of its {task.rows} rows")
        if "plain" not in task.arms:
            raise ValueError(f"{where}.arms: add 'plain': the other arms are compared with it")
        if name not in recommend.margins:
            raise ValueError(f"recommend.margins: no row '{name}'; every task needs one")


def check_cells(sweep: Sweep) -> None:
    """Refuse a cell without a task, of more rows than the task has, or under a key that says something else."""
    for key, cell in sweep.cells.items():
        where = f"sweep.cells.{key}"
        if cell.dataset not in sweep.tasks:
            raise ValueError(f"{where}.dataset: no task '{cell.dataset}'; {near_miss(cell.dataset, sweep.tasks)}")
        if cell.batch > sweep.tasks[cell.dataset].rows:
            rows = sweep.tasks[cell.dataset].rows
            raise ValueError(f"{where}.batch = {cell.batch}: sweep.tasks.{cell.dataset} has {rows} rows")
        right = f"{cell.dataset}-b{cell.batch:04d}"
        if key != right:
            raise ValueError(f"{where}: call it '{right}', after its data set and batch size")
    for name, task in sweep.tasks.items():
        if task.reference not in sweep.sizes(name):
            right = f"{name}-b{task.reference:04d}"
            raise ValueError(f"sweep.cells: add a row {right}: the other sizes are compared with the reference")


def check_minima(minima: Minima, sweep: Sweep) -> None:
    """Refuse minima of sizes that are not trained, and a task without those that every comparison needs."""
    for name, task in sweep.tasks.items():
        wanted, trained = minima.sizes.get(name, []), sweep.sizes(name)
        for size in wanted:
            if size not in trained:
                raise ValueError(f"minima.sizes.{name}: {size} is not trained; sweep.cells has {trained}")
        missing = [size for size in dict.fromkeys((task.reference, max(trained))) if size not in wanted]
        if missing:
            raise ValueError(f"minima.sizes.{name}: add {missing[0]}: reference and largest size are compared")
