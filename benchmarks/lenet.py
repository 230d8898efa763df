"""Training LeNet-300-100 under a mask: ours against the loops that users write, and against the products alone.

Nets 784-300-100-10 with a fifth of their weights left (21 %), batch 128 with SGD and batch 60 with Adam; images and
labels are random, for speed does not depend on them. Each figure is model-steps a second over all processes of a
window of a second or so. Ours is what a stage does: one single-threaded process a core, a net at a time (nets of this
size gain nothing from being trained beside others), no look at validation rows, which the loops do not take either.

The loops multiply the weights by the mask after each step, as open_lth does before each pass:

- DataLoader: ``shuffle=True`` and the defaults of loader, optimiser and threads (all cores). "images" is a map-style
  data set of uint8 images with a transform by sample, tensor and normalise, in plain torch; torchvision's own goes
  through PIL besides and is no faster. "tensors" is a ``TensorDataset``, already floats.
- preloaded: tensors in memory, ``randperm`` an epoch, a fused optimiser of torch; one process with a thread a core, or
  one single-threaded process a core.

Every window of a peer follows one of ours, and ratios are of such pairs. The limit is what the products of a step would
take at the matrix-product speed of all cores. ``python -m benchmarks.lenet [--quick]``.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from torchstone.core.processes import KIB, MOST_HEAP, allocate, apart, in_order, worker_count
from torchstone.core.streams import stream
from torchstone.learn.batches import Batch, Batches
from torchstone.learn.fit import Player
from torchstone.learn.losses import cross_entropy
from torchstone.learn.optim import FlatOptimiser, Rule
from torchstone.nets.backprop import write_gradient
from torchstone.nets.masks import named
from torchstone.nets.population import MLPPopulation

WIDTHS, ROWS, DENSITY = (784, 300, 100, 10), 10_000, 0.21
MEAN, DEVIATION = 0.1307, 0.3081  # of MNIST's pixels
WARM = 0.7
SIDE = 512  # of the square matrices whose product is the limit

Step = Callable[[], object]
Data = tuple[Tensor, Tensor]  # uint8 images [row, 28, 28] and labels [row]


@dataclass(frozen=True)
class Setting:
    """How the nets are trained."""

    batch: int
    rule: Rule
    rate: float

    def optimiser(self, net: nn.Module, fused: bool) -> torch.optim.Optimizer:
        """Return torch's optimiser, fused or as its defaults have it."""
        kind = torch.optim.SGD if self.rule == "sgd" else torch.optim.Adam
        return kind(net.parameters(), lr=self.rate, fused=fused or None)


SETTINGS = [Setting(128, "sgd", 0.1), Setting(60, "adam", 1.2e-3)]


@cache
def data() -> Data:
    """Return rows of MNIST's shape and brightness: a fifth of the pixels is not black."""
    shape, generator = (ROWS, 28, 28), stream(0, "lenet", "images")
    light = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    images = light * (torch.rand(shape, generator=generator) < 0.2)
    return images, torch.randint(0, WIDTHS[-1], (ROWS,), generator=stream(0, "lenet", "labels"))


def floats(images: Tensor) -> Tensor:
    """Do what ``ToTensor`` and ``Normalize`` do, for one image or all."""
    return images.float().div_(255).sub_(MEAN).div_(DEVIATION)


def flat() -> Data:
    """Return x [row, feature] and y [row]."""
    images, labels = data()
    return floats(images).flatten(1), labels


class Images(Dataset[Data]):
    """A map-style data set with a transform by sample, as torchvision's are."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self._images, self._labels = images, labels

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, row: int) -> Data:
        return floats(self._images[row][None]), self._labels[row]


def mask(layer: int, nets: int = 1) -> Tensor:
    """Return the mask of a layer, [net, in, out]."""
    shape = (nets, WIDTHS[layer], WIDTHS[layer + 1])
    return torch.rand(shape, generator=stream(0, "lenet", "mask", layer)) < DENSITY


def ours(setting: Setting, nets: int = 1) -> Step:
    """Return a step as studies/lottery/training.py takes it."""
    allocate(mapped_from=MOST_HEAP, kept=KIB**3)  # as core/stage.py does for every stage
    population = MLPPopulation(nets, WIDTHS)
    population.initialise([stream(0, "init", net) for net in range(nets)], "glorot_normal")
    masks = named(population, [mask(layer, nets) for layer in range(len(WIDTHS) - 1)])
    x, y = (part.expand(nets, *part.shape) for part in flat())
    names = [("lenet", net) for net in range(nets)]
    batches = Batches(x, y, torch.arange(nets), torch.arange(ROWS).expand(nets, -1), setting.batch, 0, names)

    def gradient(batch: Batch) -> None:
        write_gradient(population, batch.x, batch.y)

    player = Player(
        FlatOptimiser(population, setting.rule, setting.rate, masks=masks),
        lambda batch: cross_entropy(population(batch.x), batch.y), gradient,
    )  # fmt: skip
    steps = iter(range(sys.maxsize))
    return lambda: player.step(batches(next(steps)))


def user_step(batches: Iterator[Data], setting: Setting, fused: bool) -> Step:
    """Return a step of an ordinary module, with the mask put on after it."""
    torch.manual_seed(0)
    parts = [part for i, o in pairwise(WIDTHS) for part in (nn.Linear(i, o), nn.ReLU())]
    net = nn.Sequential(nn.Flatten(), *parts[:-1])
    optimiser = setting.optimiser(net, fused)
    weights = [parameter for parameter in net.parameters() if parameter.ndim == 2]
    masks = [mask(layer)[0].T.float().contiguous() for layer in range(len(weights))]

    def step() -> None:
        x, y = next(batches)
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        for weight, its_mask in zip(weights, masks, strict=True):
            weight.data *= its_mask

    return step


def loader_step(setting: Setting, images: bool, workers: int = 0) -> Step:
    """Return a step of a loop over a DataLoader."""
    dataset: Dataset[Any] = Images(*data()) if images else TensorDataset(*flat())
    loader = DataLoader(dataset, batch_size=setting.batch, shuffle=True, num_workers=workers)

    def batches() -> Iterator[Data]:
        while True:
            yield from loader

    return user_step(batches(), setting, fused=False)


def preloaded_step(setting: Setting) -> Step:
    """Return a step of a loop over tensors in memory."""
    x, y = flat()

    def batches() -> Iterator[Data]:
        while True:
            for chosen in torch.randperm(ROWS).split(setting.batch):
                yield x[chosen], y[chosen]

    return user_step(batches(), setting, fused=True)


def limit_step(setting: Setting) -> Step:
    """Return products of square matrices with about as many operations as those of a training step, in equal parts."""
    a = torch.randn(SIDE, SIDE, generator=stream(0, "a"))
    return lambda: a @ a


def limit_share(setting: Setting) -> float:
    """Return how many training steps have the operations of one product of square matrices."""
    weights = [i * o for i, o in pairwise(WIDTHS)]
    return SIDE**3 / (setting.batch * (3 * sum(weights) - weights[0]))


@dataclass(frozen=True)
class Method:
    """One way to train: what makes its step, and whether a process on each core takes it or one process on all."""

    name: str
    make: Callable[[Setting], Step]
    spread: bool = True


OURS = Method("ours", ours)
IMAGES = Method("DataLoader, images", partial(loader_step, images=True), spread=False)
THREADS = Method("preloaded, a thread a core", preloaded_step, spread=False)
PROCESSES = Method("preloaded, a process a core", preloaded_step)
LIMIT = Method("the products alone", limit_step)
PEERS = [
    IMAGES,
    Method("DataLoader, images, 1 worker", partial(loader_step, images=True, workers=1), spread=False),
    Method("DataLoader, tensors", partial(loader_step, images=False), spread=False),
    THREADS,
    PROCESSES,
    LIMIT,
]


def process_rate(method: Method, setting: Setting, threads: int, begin: float, seconds: float) -> float:
    """Return the steps a second of one process after ``begin``; until then it warms up."""
    torch.set_num_threads(threads)
    step, done = method.make(setting), 0
    while time.monotonic() < begin:
        step()
    start = now = time.monotonic()
    while now < start + seconds:
        step()
        done, now = done + 1, time.monotonic()
    return done / (now - start) * (limit_share(setting) if method is LIMIT or method.name == LIMIT.name else 1.0)


def rate(method: Method, setting: Setting, seconds: float) -> float:
    """Return the model-steps a second of all processes, which are fresh ones."""
    cores = worker_count()
    processes, threads, spread = (cores, 1, in_order) if method.spread else (1, cores, apart)
    job = (method, setting, threads, time.monotonic() + WARM, seconds)
    return sum(spread(process_rate, [job] * processes, label=method.name))


def summary(values: list[float]) -> str:
    """Return median and range."""
    return f"{statistics.median(values):5.2f} ({min(values):.2f} to {max(values):.2f})"


def race(setting: Setting, repeats: int, seconds: float) -> None:
    """Print what each way reaches and what ours gains over it."""
    rates: dict[str, list[float]] = {method.name: [] for method in PEERS}
    gains: dict[str, list[float]] = {method.name: [] for method in PEERS}
    mine = []
    for _ in range(repeats):
        for method in PEERS:
            pair = rate(OURS, setting, seconds), rate(method, setting, seconds)
            mine.append(pair[0])
            rates[method.name].append(pair[1])
            gains[method.name].append(pair[0] / pair[1])
    print(
        f"batch {setting.batch}, {setting.rule}, {repeats} pairs each: model-steps a second; ours is so many times faster"
    )
    print(f"  {OURS.name:30s} {statistics.median(mine):6.0f}")
    for method in PEERS:
        print(f"  {method.name:30s} {statistics.median(rates[method.name]):6.0f}   {summary(gains[method.name])}")
    for method in (THREADS, PROCESSES):
        alone = [loop / kept for loop, kept in zip(gains[IMAGES.name], gains[method.name], strict=True)]
        share = [math.log(a) / math.log(g) for a, g in zip(alone, gains[IMAGES.name], strict=True)]
        print(
            f"  of the lead over {IMAGES.name}, {method.name} has {summary(alone)} times, {statistics.median(share):.0%} in logarithms"
        )


def main(repeats: int, seconds: float) -> None:
    """Print the table of each setting."""
    torch.set_num_threads(1)  # no thread is there when processes fork
    data()
    for setting in SETTINGS:
        race(setting, repeats, seconds)


if __name__ == "__main__":
    main(*((2, 0.5) if "--quick" in sys.argv[1:] else (5, 1.2)))
