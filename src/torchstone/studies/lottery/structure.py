"""Where in the input do surviving weights lie? Neighbours in the first layer, and masks as pictures.

Greydanus & Kobak (2024) find that a ticket on MNIST-1D keeps weights side by side more often than a random mask does:
the mask has learnt that neighbouring points belong together. Three nulls are held against it, in closed form:

    shuffled    the c survivors of each unit lie anywhere among its n inputs: a pair of inputs holds two of them with
                probability c (c - 1) / (n (n - 1))
    inputs      the r survivors of each input lie at any of the U units: a pair of inputs i, j has r_i r_j / U units
                in common on average, so that inputs which keep more weights than others explain nothing
    both        S survivors with these r and these c, their S (S - 1) ordered pairs laid out at random: a pair of inputs
                i, j has r_i r_j sum c (c - 1) / (S^2 - sum r^2) units in common on average, to first order
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from torchstone.core.files import Arrays
from torchstone.core.trials import Trial
from torchstone.studies.lottery.chain import score_trials

Mask = npt.NDArray[np.bool_]  # of the first layer, [replicate, input, unit]
NULLS = ("shuffled", "inputs", "both")
SHOWN = (3, 8)  # units of the picture of an image data set: rows, columns


def pairs(grid: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sum the products of neighbours over the first two axes of [row, column, ...]: beside and below."""
    beside = (grid[:, :-1] * grid[:, 1:]).sum(axis=(0, 1))
    below = (grid[:-1] * grid[1:]).sum(axis=(0, 1))
    return np.asarray(beside + below)


def neighbours(mask: Mask, shape: Sequence[int]) -> dict[str, npt.NDArray[np.float64]]:
    """Return neighbouring pairs a surviving weight, as found and by the nulls, each [replicate]."""
    rows, columns = shape
    edges = rows * (columns - 1) + columns * (rows - 1)
    inputs, units = mask.shape[1:]
    found: dict[str, list[float]] = {name: [] for name in ("neighbours", *(f"neighbours_{null}" for null in NULLS))}
    for own in mask.astype(np.float64):
        survivors, by_unit, by_input = own.sum(), own.sum(axis=0), own.sum(axis=1)
        found["neighbours"].append(pairs(own.reshape(rows, columns, units)).sum() / survivors)
        chance = by_unit * (by_unit - 1) / (inputs * (inputs - 1))
        found["neighbours_shuffled"].append(edges * chance.sum() / survivors)
        common = float(pairs(by_input.reshape(rows, columns)))
        found["neighbours_inputs"].append(common / units / survivors)
        other_pairs = survivors**2 - (by_input**2).sum()  # of survivors at two different inputs
        found["neighbours_both"].append(common * (by_unit * (by_unit - 1)).sum() / other_pairs / survivors)
    arrays = {name: np.array(values) for name, values in found.items()}
    for null in NULLS:
        arrays[f"neighbours_over_{null}"] = arrays["neighbours"] - arrays[f"neighbours_{null}"]
    return arrays


def structure_trials(number: int, mask: Mask, shape: Sequence[int]) -> list[Trial]:
    """Return the neighbours of a ticket's first layer as trials of a round."""
    return score_trials("ticket", float(number), neighbours(mask, shape))


def pictures(mask: Mask, weights: npt.NDArray[np.float32], shape: Sequence[int]) -> Arrays:
    """Return what of the first layer survives as pictures, [row, column, height, width], with their labels.

    "inputs": the share of units that keep each input's weight, by replicate, and the mean over them at the end;
    "units": the surviving weights of replicate 0 after training, [input, unit] of a signal (units in the order of where
    their weights lie) or one image a unit, for those with the most weights. ``weights`` are [replicate, input, unit].
    """
    shares = mask.mean(axis=2)
    rows = np.concatenate([shares, shares.mean(axis=0, keepdims=True)]).reshape(-1, *shape)
    labels = np.array([*(str(replicate) for replicate in range(len(shares))), "mean"])
    own = np.where(mask[0], weights[0], 0.0)
    if shape[0] == 1:  # a signal: one line a replicate
        place = (mask[0] * np.arange(shape[1])[:, None]).sum(axis=0) / np.maximum(mask[0].sum(axis=0), 1)
        place[mask[0].sum(axis=0) == 0] = shape[1]
        order = np.argsort(place, kind="stable")
        return {"inputs": rows[:, None], "inputs_rows": labels, "units": own[:, order][None, None]}
    most = np.argsort(-mask[0].sum(axis=0), kind="stable")[: SHOWN[0] * SHOWN[1]]
    high, across = SHOWN
    shown = np.zeros((high * across, *shape))
    shown[: len(most)] = own[:, most].T.reshape(-1, *shape)
    return {"inputs": rows[None], "inputs_columns": labels, "units": shown.reshape(high, across, *shape)}
