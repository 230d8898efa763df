"""Training LeNet-300-100 under a mask: ours against the loops that users write, and against the products alone.

Nets 784-300-100-10 with 21 % of their weights left; images and labels are random, for speed does not depend on them.
Figures are model-steps a second over all processes, in windows of a second; each window of a peer follows one of ours,
and ratios are of such pairs. Ours is what a stage does, without looks at validation rows: one single-threaded process a
core, a net at a time. The loops multiply the weights by the mask at each step, as open_lth does:

- DataLoader: shuffled, ``num_workers=0`` unless said, else defaults. "PIL" makes a PIL image, a tensor and a normalised
  tensor of each uint8 image, by the operations of torchvision, which open_lth uses; "torch" does the same sums in the
  fewest operations of torch; "tensors" is a ``TensorDataset`` of ready floats.
- preloaded: tensors in memory, ``randperm`` an epoch, torch's fused optimiser; one process or one on each core.

The limit is the time of the step's products at the matrix-product speed of all cores. Ratios of single-threaded
processes are of CPU seconds, which other work on the machine takes nothing of; the threads of one process wait for each
other on a busy machine, and it is said if this one is. ``python -m benchmarks.lenet [--quick]``.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain, count, pairwise, repeat
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from torchstone.core.processes import KIB, MOST_HEAP, allocate, apart, in_order, worker_count
from torchstone.core.streams import stream
from torchstone.learn.batches import Batches
from torchstone.learn.fit import Player
from torchstone.learn.losses import cross_entropy
from torchstone.learn.optim import FlatOptimiser, Rule
from torchstone.nets.backprop import write_gradient
from torchstone.nets.masks import named
from torchstone.nets.population import MLPPopulation

WIDTHS, ROWS, DENSITY, WARM = (784, 300, 100, 10), 10_000, 0.21, 0.4  # WARM in seconds
MEAN, DEVIATION, SIDE = 0.1307, 0.3081, 512  # of MNIST's pixels; of the matrices whose product is the limit

Data = tuple[Tensor, Tensor]  # uint8 images [row, 28, 28] and labels [row]


@dataclass(frozen=True)
class Setting:
    batch: int
    rule: Rule
    rate: float


@cache
def data() -> Data:
    """Return rows of MNIST's shape and brightness: a fifth of the pixels is not black."""
    shape, generator = (ROWS, 28, 28), stream(0, "lenet", "data")
    light = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    images = light * (torch.rand(shape, generator=generator) < 0.2)
    return images, torch.randint(0, WIDTHS[-1], (ROWS,), generator=generator)


def floats(images: Tensor) -> Tensor:
    """Do what ``ToTensor`` and ``Normalize`` do, for one image or all."""
    return images.float().div_(255).sub_(MEAN).div_(DEVIATION)


def flat() -> Data:
    """Return x [row, feature] and y [row]."""
    return floats(data()[0]).flatten(1), data()[1]


def through_pil(image: Tensor) -> Tensor:
    """Do the same in the steps of torchvision, for one image."""
    picture = Image.fromarray(image.numpy())
    x = torch.from_numpy(np.array(picture, np.uint8, copy=True)).view(28, 28, 1).permute(2, 0, 1).contiguous()
    x = x.to(torch.float32).div(255).clone()
    mean, deviation = (torch.as_tensor([value], dtype=x.dtype) for value in (MEAN, DEVIATION))
    assert not (deviation == 0).any()  # torchvision looks at every image
    return x.sub_(mean.view(-1, 1, 1)).div_(deviation.view(-1, 1, 1))


class Images(Dataset[tuple[Tensor, int]]):
    """A map-style data set with a transform by sample."""

    def __init__(self, transform: Callable[[Tensor], Tensor]) -> None:
        (self.images, self.labels), self.transform = data(), transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return self.transform(self.images[row]), int(self.labels[row])


def masks() -> list[Tensor]:
    """Return the mask of each layer, [1, in, out]."""
    shapes = [(1, *pair) for pair in pairwise(WIDTHS)]
    return [torch.rand(shape, generator=stream(0, "lenet", "mask", *shape)) < DENSITY for shape in shapes]


def ours(setting: Setting) -> Callable[[], object]:
    """Return a step as studies/lottery/training.py takes it."""
    allocate(mapped_from=MOST_HEAP, kept=KIB**3)  # as core/stage.py does for every stage
    net = MLPPopulation(1, WIDTHS)
    net.initialise([stream(0, "init")], "glorot_normal")
    x, y = (part[None] for part in flat())
    batches = Batches(x, y, torch.arange(1), torch.arange(ROWS)[None], setting.batch, 0, [("lenet",)])

    optimiser = FlatOptimiser(net, setting.rule, setting.rate, masks=named(net, masks()))
    loss, steps = (lambda batch: cross_entropy(net(batch.x), batch.y)), count()
    player = Player(optimiser, loss, lambda batch: write_gradient(net, batch.x, batch.y))
    return lambda: player.step(batches(next(steps)))


def user_step(batches: Iterator[Data], setting: Setting, fused: bool) -> Callable[[], object]:
    """Return a step of an ordinary module, with the mask put on after it."""
    layers = [part for pair in pairwise(WIDTHS) for part in (nn.ReLU(), nn.Linear(*pair))]
    net = nn.Sequential(nn.Flatten(), *layers[1:])
    kind = torch.optim.SGD if setting.rule == "sgd" else torch.optim.Adam
    optimiser = kind(net.parameters(), lr=setting.rate, fused=fused or None)
    weights = [parameter for parameter in net.parameters() if parameter.ndim == 2]
    kept = [mask[0].T.float().contiguous() for mask in masks()]

    def step() -> None:
        x, y = next(batches)
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        for weight, mask in zip(weights, kept, strict=True):
            weight.data *= mask

    return step


def loader_step(
    setting: Setting, transform: Callable[[Tensor], Tensor] | None, workers: int = 0
) -> Callable[[], object]:
    """Return a step of a loop over a DataLoader, of images with a transform or of ready floats."""
    dataset: Dataset[Any] = Images(transform) if transform else TensorDataset(*flat())
    loader = DataLoader(dataset, batch_size=setting.batch, shuffle=True, num_workers=workers)
    return user_step(chain.from_iterable(repeat(loader)), setting, fused=False)


def preloaded_step(setting: Setting) -> Callable[[], object]:
    """Return a step of a loop over tensors in memory."""
    x, y = flat()

    def epoch() -> Iterator[Data]:
        for rows in torch.split(torch.randperm(ROWS), setting.batch):
            yield x[rows], y[rows]

    return user_step(chain.from_iterable(epoch() for _ in repeat(None)), setting, fused=True)


def product_step(_: Setting) -> Callable[[], object]:
    """Return the product of two square matrices."""
    a = torch.randn(SIDE, SIDE, generator=stream(0, "a"))
    return lambda: a @ a


def steps_a_product(setting: Setting) -> float:
    """Return how many training steps have as many operations in their products as one of square matrices has."""
    first, *others = [i * o for i, o in pairwise(WIDTHS)]  # the first layer hands no gradient on to its inputs
    return SIDE**3 / (setting.batch * (2 * first + 3 * sum(others)))


@dataclass(frozen=True)
class Method:
    """What makes a step, whether a process on each core takes it or one process on all, and its model-steps."""

    name: str
    make: Callable[[Setting], Callable[[], object]]
    spread: bool = True
    steps: Callable[[Setting], float] = lambda _: 1.0


OURS = Method("ours", ours)
LOADER = Method("DataLoader, PIL", partial(loader_step, transform=through_pil), spread=False)
LOADERS = Method("DataLoader, PIL, a process a core", partial(loader_step, transform=through_pil))
THREADS = Method("preloaded, a thread a core", preloaded_step, spread=False)
PROCESSES = Method("preloaded, a process a core", preloaded_step)
PEERS = [
    LOADER,
    LOADERS,
    Method("DataLoader, PIL, 1 worker", partial(loader_step, transform=through_pil, workers=1), spread=False),
    Method("DataLoader, torch", partial(loader_step, transform=floats), spread=False),
    Method("DataLoader, tensors", partial(loader_step, transform=None), spread=False),
    THREADS,
    PROCESSES,
    Method("the products alone", product_step, steps=steps_a_product),
]
METHODS = {method.name: method for method in (OURS, *PEERS)}


def window(name: str, setting: Setting, threads: int, begin: float, seconds: float) -> tuple[float, float]:
    """Return the steps a second of one process after ``begin``, until which it warms up, and its share of its cores."""
    torch.set_num_threads(threads)
    step, done = METHODS[name].make(setting), 0
    while time.monotonic() < begin:
        step()
    worked, start = time.process_time(), (now := time.monotonic())
    while now < start + seconds:
        step()
        done, now = done + 1, time.monotonic()
    return done / (now - start), (time.process_time() - worked) / (now - start) / threads


def rate(method: Method, setting: Setting, seconds: float) -> tuple[float, float]:
    """Return the model-steps a second of all processes, which are fresh ones, and the share of the cores they got."""
    processes, threads, spread = (worker_count(), 1, in_order) if method.spread else (1, worker_count(), apart)
    job = (method.name, setting, threads, time.monotonic() + WARM, seconds)
    rates, shares = zip(*spread(window, [job] * processes, label=method.name), strict=True)
    return sum(rates) * method.steps(setting), statistics.mean(shares)


def summary(values: Sequence[float]) -> str:
    """Return median and range."""
    return f"{statistics.median(values):5.2f} ({min(values):.2f} to {max(values):.2f})"


def race(setting: Setting, repeats: int, seconds: float) -> None:
    """Print what each way reaches and how many times faster ours is."""
    pairs = [[(rate(OURS, setting, seconds), rate(peer, setting, seconds)) for peer in PEERS] for _ in range(repeats)]
    mine, shares = zip(*(first for row in pairs for first, _ in row), strict=True)
    gains: dict[Method, list[float]] = {}
    print(f"batch {setting.batch}, {setting.rule}, {repeats} pairs; ours had of each core {summary(shares)}")
    print(f"  {OURS.name:32s} {statistics.median(mine):6.0f} steps/s   ours is so many times faster")
    for peer, column in zip(PEERS, zip(*pairs, strict=True), strict=True):
        gains[peer] = [a / b * (its / our if peer.spread else 1.0) for (a, our), (b, its) in column]
        reached = statistics.median(other for _, (other, _) in column)
        print(f"  {peer.name:32s} {reached:6.0f} steps/s   {summary(gains[peer])}")
    for peer, loader in ((THREADS, LOADER), (PROCESSES, LOADERS)):
        both = list(zip(gains[loader], gains[peer], strict=True))
        alone, part = [lead / rest for lead, rest in both], statistics.median(1 - math.log(b, a) for a, b in both)
        print(f"  {peer.name}, over {loader.name}: {summary(alone)}, {part:.0%} of the logarithm of our lead")
    if statistics.median(shares) < 0.9:
        print("  The machine is busy: take no ratio to a process with threads from this.")


if __name__ == "__main__":
    torch.set_num_threads(1)  # processes are forked, and no thread may be there
    data()
    for each in (Setting(128, "sgd", 0.1), Setting(60, "adam", 1.2e-3)):
        race(each, *((2, 0.2) if "--quick" in sys.argv[1:] else (5, 0.9)))
