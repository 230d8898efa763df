"""What params.yaml may hold: one model a section, every key required, every range checked.

No key has a default here: the file is the whole truth, so these models can never change a result and stay out of
the code fingerprints (core/fingerprint.py). Each description repeats the key's comment in params.yaml; a test keeps
the two equal.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from torchstone.core.errors import near_miss

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0.0, lt=1.0)]


class Section(BaseModel):
    """A strict section: no unknown key, no coercion, no change after reading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Shared(Section):
    """What every stage reads."""

    seed: int = Field(ge=0, description="root of every named random stream")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        description="auto takes cuda, then mps, then cpu; bits are promised per device only"
    )


class Generated(Section):
    """A data set drawn afresh from its generator for each replicate."""

    replicates: Count = Field(description="independent draws of the data set")
    train: Count = Field(description="rows a replicate")
    valid: Count = Field(description="rows a replicate")
    test: Count = Field(description="test rows a replicate; large, so that test noise is small")


class Finite(Section):
    """A finite data set, split afresh for each replicate."""

    replicates: Count = Field(description="random splits of the one data set, stratified by class")
    valid: Share = Field(description="shares of its rows")
    test: Share = Field(description="shares of its rows")

    @model_validator(mode="after")
    def _something_to_train_on(self) -> Finite:
        if self.valid + self.test >= 0.9:
            raise ValueError(f"valid + test = {self.valid + self.test:g} leaves under a tenth to train on")
        return self


class Fixed(Section):
    """A data set with a published test set; only train and validation are split afresh."""

    replicates: Count = Field(description="random splits of the training rows into train and validation")
    valid: Count = Field(description="validation rows, taken from the training rows")


class Prepare(Section):
    """The data sets, each a stage prepare@KEY."""

    waveform: Generated | None = None
    friedman1: Generated | None = None
    mnist1d: Generated | None = None
    breast_cancer: Finite | None = None
    digits: Finite | None = None
    diabetes: Finite | None = None
    mnist: Fixed | None = None
    fashion_mnist: Fixed | None = None


class Resample(Section):
    """Shares of the index sets that are drawn without replacement."""

    subsample80: Share = Field(description="share of rows in a subsample, as the source text has it")
    subsample63: Share = Field(description="share with as many distinct rows as a bootstrap sample: 1 - 1/e")


Sampled = Literal["bagging", "subsample80", "subsample63"]


class Arms(Section):
    """Which schemes each learner is put into.

    One single model and its control come with every learner; those of the networks are members of ``deep``.
    """

    tree: list[Sampled] | None = None
    neighbours: list[Sampled] | None = None
    logistic: list[Sampled] | None = None
    stump: list[Literal["adaboost", "gradient-boosting"]] | None = None
    mlp: list[Literal["deep", "bootstrapped-deep", "bagging", "subsample80"]] | None = None


class Cell(Section):
    """One data set of the ensemble study, a stage ensemble@KEY."""

    epochs: Count = Field(
        description="passes of each MLP over its own rows, about where one net's validation loss is lowest"
    )
    arms: Arms = Field(description="which schemes each learner is put into")


class Ensemble(Section):
    """Bootstrap, bagging and boosting."""

    members: int = Field(ge=2, le=1000, description="models in an ensemble")
    rounds: int = Field(ge=2, le=5000, description="boosting rounds; Freund & Schapire used 100")
    neighbours: Count = Field(description="k of the nearest-neighbour learner; Breiman 1996 used 1")
    hidden: list[Count] = Field(min_length=1, description="hidden widths of the MLP")
    batch: Count = Field(description="rows in a mini-batch of the MLP")
    learning_rate: float = Field(gt=0.0, description="Adam's rate for the MLP")
    cells: dict[str, Cell] = Field(description="one row a data set: the stages resample@KEY and ensemble@KEY")


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
    rates: list[Annotated[float, Field(gt=0.0)]] = Field(
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

    margins: dict[str, Annotated[float, Field(gt=0.0)]] = Field(
        description="loss of test accuracy that counts as none, by data set"
    )


class Judge(Section):
    """How a verdict is reached."""

    alpha: float = Field(gt=0.0, lt=0.5, description="error rate of each interval, and of each family after Holm")
    power: Share = Field(description="power at which the minimum detectable effect is stated")
    draws: int = Field(ge=999, description="sign flips where the exact count is larger")


class Params(Section):
    """The whole of params.yaml."""

    shared: Shared
    prepare: Prepare
    resample: Resample
    ensemble: Ensemble
    sweep: Sweep
    minima: Minima
    cost: Cost
    recommend: Recommend
    judge: Judge

    @model_validator(mode="after")
    def _cells_are_prepared(self) -> Params:
        """Refuse a cell of a data set that does not exist or that ``prepare`` does not make."""
        for name in self.ensemble.cells:
            self._prepared(name, f"ensemble.cells.{name}")
        return self

    @model_validator(mode="after")
    def _tasks_fit_their_data(self) -> Params:
        """Refuse a task of a data set that ``prepare`` does not make, or that has fewer rows or replicates."""
        for name, task in self.sweep.tasks.items():
            where = f"sweep.tasks.{name}"
            row = self._prepared(name, where)
            if task.replicates > row.replicates:
                raise ValueError(f"{where}.replicates = {task.replicates}: prepare.{name} makes {row.replicates}")
            if isinstance(row, Generated) and task.rows > row.train:
                raise ValueError(f"{where}.rows = {task.rows}: prepare.{name} makes {row.train} training rows")
            if 2 * task.reference > task.rows:
                raise ValueError(f"{where}.reference = {task.reference}: more than half of its {task.rows} rows")
            if "plain" not in task.arms:
                raise ValueError(f"{where}.arms: add 'plain': the other arms are compared with it")
            if name not in self.recommend.margins:
                raise ValueError(f"recommend.margins: no row '{name}'; every task needs one")
        return self

    @model_validator(mode="after")
    def _cells_are_tasks(self) -> Params:
        """Refuse a cell without a task, of more rows than the task has, or under a key that says something else."""
        for key, cell in self.sweep.cells.items():
            where = f"sweep.cells.{key}"
            if cell.dataset not in self.sweep.tasks:
                raise ValueError(
                    f"{where}.dataset: no task '{cell.dataset}'; {near_miss(cell.dataset, self.sweep.tasks)}"
                )
            if cell.batch > self.sweep.tasks[cell.dataset].rows:
                rows = self.sweep.tasks[cell.dataset].rows
                raise ValueError(f"{where}.batch = {cell.batch}: sweep.tasks.{cell.dataset} has {rows} rows")
            right = f"{cell.dataset}-b{cell.batch:04d}"
            if key != right:
                raise ValueError(f"{where}: call it '{right}', after its data set and batch size")
        for name, task in self.sweep.tasks.items():
            if task.reference not in self.sizes(name):
                right = f"{name}-b{task.reference:04d}"
                raise ValueError(f"sweep.cells: add a row {right}: the other sizes are compared with the reference")
        return self

    @model_validator(mode="after")
    def _minima_are_trained(self) -> Params:
        """Refuse minima of sizes that are not trained, and a task without those that every comparison needs."""
        for name, task in self.sweep.tasks.items():
            wanted, trained = self.minima.sizes.get(name, []), self.sizes(name)
            for size in wanted:
                if size not in trained:
                    raise ValueError(f"minima.sizes.{name}: {size} is not trained; sweep.cells has {trained}")
            missing = [size for size in dict.fromkeys((task.reference, max(trained))) if size not in wanted]
            if missing:
                raise ValueError(f"minima.sizes.{name}: add {missing[0]}: reference and largest size are compared")
        return self

    def _prepared(self, name: str, where: str) -> Generated | Finite | Fixed:
        """Return the data set's row of ``prepare``; raises ValueError if there is none."""
        if name not in Prepare.model_fields:
            raise ValueError(f"{where}: unknown data set; {near_miss(name, Prepare.model_fields)}")
        row: Generated | Finite | Fixed | None = getattr(self.prepare, name)
        if row is None:
            raise ValueError(f"{where}: not prepared; add a row prepare.{name}")
        return row

    def sizes(self, dataset: str) -> list[int]:
        """Return the batch sizes of a task, rising."""
        return sorted(cell.batch for cell in self.sweep.cells.values() if cell.dataset == dataset)

    def rows(self, stage: str) -> list[str]:
        """Return the keys of a stage's rows, as ``foreach`` in dvc.yaml sees them."""
        if stage == "prepare":
            return [name for name, row in self.prepare if row is not None]
        if stage in {"resample", "ensemble"}:
            return list(self.ensemble.cells)
        if stage in {"minima", "cost", "recommend"}:
            return list(self.sweep.tasks)
        return list(self.sweep.cells) if stage == "sweep" else []
