"""Bagging 50 MLPs 64-64-10 on digits, 20 epochs, batch 32: ours against scikit-learn's BaggingClassifier.

Both use every core, train on the same 1437 rows and are scored on the other 360. Runs alternate, and the ratio is
taken pair by pair, since a machine's speed drifts. ``python -m benchmarks.bagging [PAIRS]``.
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import BaggingClassifier
from sklearn.neural_network import MLPClassifier

from torchstone.core.processes import in_order, worker_count
from torchstone.nets.population import chunks
from torchstone.studies.ensembles.networks import Training, train_members
from torchstone.studies.ensembles.resampling import bootstrap
from torchstone.studies.ensembles.task import Task

MEMBERS, EPOCHS, BATCH, ROWS = 50, 20, 32, 1437


def _digits() -> tuple[Any, Any, Any, Any]:
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = (x[order] / 16).astype(np.float32), y[order]
    return x[:ROWS], y[:ROWS], x[ROWS:], y[ROWS:]


def ours(seed: int) -> tuple[float, float]:
    """Return seconds and test accuracy of our population."""
    x, y, x_test, y_test = _digits()
    start = time.perf_counter()
    rows = bootstrap(ROWS, MEMBERS, 1, seed, "benchmark")[0]
    task = Task(0, 10, x, y, x_test, y_test, {})
    training = Training((64,), EPOCHS, BATCH, 1e-3, "cpu")
    jobs: list[tuple[Any, ...]] = []
    for part in chunks(MEMBERS, worker_count()):
        names = [("benchmark", member) for member in part]
        jobs.append((task, rows[part.start : part.stop], names, names, training, seed))
    test = np.concatenate([test for test, _ in in_order(train_members, jobs, label="ours")])
    seconds = time.perf_counter() - start
    return seconds, float((test.mean(axis=0).argmax(axis=1) == y_test).mean())


def theirs(seed: int) -> tuple[float, float]:
    """Return seconds and test accuracy of scikit-learn's bagging."""
    x, y, x_test, y_test = _digits()
    network = MLPClassifier((64,), batch_size=BATCH, max_iter=EPOCHS, learning_rate_init=1e-3)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 20 epochs are short of its own stopping rule, as intended
        model = BaggingClassifier(network, n_estimators=MEMBERS, n_jobs=worker_count(), random_state=seed)
        model.fit(x, y)
    seconds = time.perf_counter() - start
    return seconds, float(model.score(x_test, y_test))


def main(pairs: int) -> None:
    """Print seconds, accuracy and the ratio of each pair, then the median ratio."""
    ours(0), theirs(0)  # both have their processes and libraries loaded before the clock counts
    ratios = []
    for pair in range(1, pairs + 1):
        (mine, my_accuracy), (other, other_accuracy) = ours(pair), theirs(pair)
        ratios.append(other / mine)
        print(
            f"ours {mine:6.2f} s, accuracy {my_accuracy:.3f} | scikit-learn {other:6.2f} s, accuracy "
            f"{other_accuracy:.3f} | ratio {ratios[-1]:.1f}"
        )
    print(
        f"median ratio {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f}), {worker_count()} cores"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
