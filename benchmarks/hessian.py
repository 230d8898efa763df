"""Largest Hessian eigenvalues of 10 MLPs: all at once against PyHessian, one model at a time.

PyHessian is no dependency: ``pip install --no-deps pyhessian`` first. Both get the same networks, the same rows (all
of them in one batch) and the same precision; PyHessian's cap is raised until it plays no part. A tolerance is not the
same thing to both by default: PyHessian stops power iteration when two estimates in a row differ by less, ours when the
residual, which bounds the distance to an eigenvalue, is smaller. So they are timed at equal tolerance with one
criterion (the change of the estimate, 1e-3, PyHessian's default), at equal tolerance each with its own criterion,
and at equal accuracy (each at the loosest power of ten whose error is at most 1e-3 in every network, against our value
at 1e-9 in float64), and the error reached stands beside the time. The ratio of a single product H v is the part that
stacking alone speeds up. Runs alternate; ratios are taken pair by pair. ``python -m benchmarks.hessian [PAIRS]``.
"""

from __future__ import annotations

import importlib
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from itertools import pairwise, product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from torchstone.core.processes import KIB, MOST_HEAP, allocate, worker_count
from torchstone.core.streams import stream
from torchstone.learn.curvature import Criterion, Hessian, largest_eigenvalues
from torchstone.learn.fit import Player, fit
from torchstone.learn.losses import cross_entropy
from torchstone.learn.optim import FlatOptimiser
from torchstone.nets.population import MLPPopulation, pad_features

NETS, TOLERANCE, MOST = 10, 1e-3, 5000
CASES = [((64, 64, 10), 256), ((784, 300, 100, 10), 500)]
Array = np.ndarray[Any, np.dtype[np.float64]]
Method = Callable[[float], Array]


def trained(widths: tuple[int, ...], rows: int, steps: int = 30) -> tuple[MLPPopulation, Tensor, Tensor]:
    """Return networks after a few full-batch steps on clusters with a fifth of wrong labels, each on its own data."""
    population = MLPPopulation(NETS, widths)
    population.initialise([stream(0, "init", net) for net in range(NETS)])
    y = torch.randint(widths[-1], (NETS, rows), generator=stream(0, "y"))
    centres = torch.randn(NETS, widths[-1], widths[0], generator=stream(0, "centres"))
    x = torch.randn(NETS, rows, widths[0], generator=stream(0, "x"))
    x += 0.5 * centres.gather(1, y[..., None].expand(-1, -1, widths[0]))
    wrong = torch.rand(NETS, rows, generator=stream(0, "wrong")) < 0.2
    y = torch.where(wrong, torch.randint(widths[-1], (NETS, rows), generator=stream(0, "other")), y)
    inputs = pad_features(x)
    player = Player(FlatOptimiser(population, "adam", 1e-3), lambda _: cross_entropy(population(inputs), y))
    fit([player], lambda _: None, steps)
    return population, x, y


def plain(population: MLPPopulation, net: int) -> nn.Sequential:
    """Return one replicate as an ordinary module."""
    parts: list[nn.Module] = []
    for layer, (inputs, outputs) in zip(population.layers, pairwise(population.widths), strict=True):
        assert isinstance(layer.weight, Tensor)
        assert isinstance(layer.bias, Tensor)
        linear = nn.Linear(inputs, outputs)
        linear.weight.data = layer.weight.detach()[net, :inputs, :outputs].T.contiguous()
        linear.bias.data = layer.bias.detach()[net, 0, :outputs].clone()
        parts += [linear, nn.ReLU()]
    return nn.Sequential(*parts[:-1])


def theirs(models: list[nn.Sequential], x: Tensor, y: Tensor, tolerance: float, pyhessian: Any) -> Array:  # noqa: ANN401
    """Return PyHessian's eigenvalues, [net], model by model."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # backward(create_graph=True) warns of the cycle that it makes
        for net, model in enumerate(models):
            model.zero_grad(set_to_none=True)
            hessian = pyhessian.hessian(model, nn.functional.cross_entropy, data=(x[net], y[net]), cuda=False)
            values, _ = hessian.eigenvalues(maxIter=MOST, tol=tolerance)
            found.append(values[0])
    return np.asarray(found, dtype=np.float64)


def one_product(models: list[nn.Sequential], x: Tensor, y: Tensor) -> Callable[[], object]:
    """Return what takes one H v of every model in turn, as PyHessian does, its graph kept."""
    work = []
    for net, model in enumerate(models):
        parameters = list(model.parameters())
        loss = nn.functional.cross_entropy(model(x[net]), y[net])
        gradients = torch.autograd.grad(loss, parameters, create_graph=True)
        work.append((gradients, parameters, [torch.ones_like(parameter) for parameter in parameters]))
    return lambda: [torch.autograd.grad(*part, retain_graph=True) for part in work]


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def error(method: Method, tolerance: float, truth: Array) -> float:
    """Return the largest relative error over the networks."""
    return float(np.abs(method(tolerance) / truth - 1).max())


def enough(method: Method, truth: Array) -> float:
    """Return the loosest power of ten that keeps the error within 1e-3, the worse of two runs counting."""
    for exponent in range(-1, -9, -1):
        if max(error(method, 10.0**exponent, truth) for _ in range(2)) <= TOLERANCE:
            return 10.0**exponent
    raise RuntimeError("no tolerance is enough")


def race(ours: Method, other: Method, tolerances: tuple[float, float], truth: Array, pairs: int) -> None:
    """Print the time and error of both at these tolerances, and the ratio of their times."""
    times = [(seconds(lambda: ours(tolerances[0])), seconds(lambda: other(tolerances[1]))) for _ in range(pairs)]
    ratios = [theirs / mine for mine, theirs in times]
    for place, (name, method) in enumerate((("ours", ours), ("PyHessian", other))):
        took = statistics.median(pair[place] for pair in times)
        reached = error(method, tolerances[place], truth)
        print(f"    {name:10s}{took:8.3f} s at tolerance {tolerances[place]:.0e}, error at most {reached:.0e}")
    print(f"    ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}, {pairs} pairs)")


def compare(widths: tuple[int, ...], rows: int, dtype: torch.dtype, pairs: int, pyhessian: Any) -> None:  # noqa: ANN401
    """Print times, errors and ratios of one architecture."""
    torch.set_default_dtype(torch.float32)
    population, x, y = trained(widths, rows)
    torch.set_default_dtype(dtype)  # PyHessian draws its vectors in this
    models, exact = [plain(population, net).to(dtype) for net in range(NETS)], x.to(dtype)
    names = [(net,) for net in range(NETS)]
    truth = largest_eigenvalues(Hessian(population, x, y), names, 0, tolerance=1e-9)
    assert truth.converged.all()

    def ours(tolerance: float, criterion: Criterion = "residual") -> Array:
        hessian = Hessian(population, x, y, dtype=dtype)
        found = largest_eigenvalues(hessian, names, 1, tolerance=tolerance, most=MOST, criterion=criterion)
        assert found.converged.all()
        return found.values

    def by_change(tolerance: float) -> Array:
        return ours(tolerance, "change")

    def other(tolerance: float) -> Array:
        return theirs(models, exact, y, tolerance, pyhessian)

    print(f"{NETS} x {'-'.join(map(str, widths))}, {rows} rows, {dtype}, {worker_count()} cores")
    hessian = Hessian(population, x, y, dtype=dtype)
    v = torch.ones(NETS, hessian.parameters, dtype=dtype)
    looped = one_product(models, exact, y)
    ratios = [seconds(looped) / seconds(lambda: hessian.product(v)) for _ in range(5 * pairs)]
    print(f"  one product: ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    for what, mine, tolerances in (
        ("tolerance, stopped by the change of the estimate", by_change, (TOLERANCE, TOLERANCE)),
        ("tolerance, ours stopped by the residual", ours, (TOLERANCE, TOLERANCE)),
        ("accuracy", ours, (enough(ours, truth.values), enough(other, truth.values))),
    ):
        print(f"  at equal {what}:")
        race(mine, other, tolerances, truth.values, pairs)


def main(pairs: int) -> None:
    """Compare on every case, or say how to install the peer."""
    try:
        pyhessian = importlib.import_module("pyhessian")
    except ModuleNotFoundError as missing:
        raise SystemExit(
            "this benchmark compares with PyHessian, which is not installed: pip install --no-deps pyhessian"
        ) from missing
    allocate(mapped_from=MOST_HEAP, kept=KIB**3)  # as a stage keeps memory, for both
    for (widths, rows), dtype in product(CASES, (torch.float64, torch.float32)):
        compare(widths, rows, dtype, pairs, pyhessian)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
