"""Masks of a population: which weights of each network there still are.

A mask is a list with one bool tensor a layer, [replicate, in, out], without padding; biases have none, since they are
never pruned. Counts are exact: of equal magnitudes as many stay as must, in the order of the weights. (Masks made with
a threshold, `weight < cutoff` or `<= cutoff`, are off by the ties.)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from torchstone.nets.population import MLPPopulation

Masks = list[Tensor]


def weights_of(population: MLPPopulation) -> list[Tensor]:
    """Return views of each layer's weights, [replicate, in, out], without padding and biases."""
    return population.own_entries(list(population.parameters()))[::2]


def dense(population: MLPPopulation) -> Masks:
    """Return the masks that keep every weight."""
    return [torch.ones(weight.shape, dtype=torch.bool) for weight in weights_of(population)]


def counts(masks: Masks) -> Tensor:
    """Return how many weights are left, [layer, replicate]."""
    return torch.stack([mask.flatten(1).sum(1) for mask in masks])


def density(masks: Masks) -> Tensor:
    """Return the share of all weights that is left, [replicate]; biases are no part of it."""
    return counts(masks).sum(0).double() / sum(mask[0].numel() for mask in masks)


def remaining(count: int, rate: float) -> int:
    """Return how many of ``count`` weights are left when a share ``rate`` of them is pruned, to the nearest whole."""
    return count - round(rate * count)


def _largest(magnitudes: Tensor, keep: Tensor) -> Tensor:
    """Mark the ``keep`` [replicate] largest of [replicate, weight]; of equal ones the first."""
    order = magnitudes.argsort(dim=1, descending=True, stable=True)
    ranks = torch.empty_like(order)
    ranks.scatter_(1, order, torch.arange(order.shape[1], device=order.device).expand_as(order))
    return ranks < keep[:, None].to(order.device)


def _left(weights: Tensor, mask: Tensor) -> Tensor:
    """Return magnitudes, [replicate, weight], below all others where a weight is pruned already."""
    return weights.detach().abs().masked_fill(~mask.to(weights.device), -1.0).flatten(1)


def by_magnitude(weights: Sequence[Tensor], masks: Masks, keep: Tensor) -> Masks:
    """Keep in each layer the ``keep`` [layer, replicate] largest of those that are left.

    Raises ValueError if more are to be kept than there are.
    """
    if bool((keep > counts(masks)).any()):
        raise ValueError(f"to keep {keep.tolist()} of {counts(masks).tolist()} weights is not to prune")
    return [
        _largest(_left(weight, mask), kept).view(mask.shape).cpu()
        for weight, mask, kept in zip(weights, masks, keep, strict=True)
    ]


def by_magnitude_of_all(weights: Sequence[Tensor], masks: Masks, keep: Tensor) -> Masks:
    """Keep the ``keep`` [replicate] largest of those that are left in all these layers together."""
    if bool((keep > counts(masks).sum(0)).any()):
        raise ValueError(f"to keep {keep.tolist()} of {counts(masks).sum(0).tolist()} weights is not to prune")
    magnitudes = [_left(weight, mask) for weight, mask in zip(weights, masks, strict=True)]
    chosen = _largest(torch.cat(magnitudes, dim=1), keep).cpu()
    parts = torch.split(chosen, [part.shape[1] for part in magnitudes], dim=1)
    return [part.reshape(mask.shape) for part, mask in zip(parts, masks, strict=True)]


def pruned(weights: Sequence[Tensor], masks: Masks, rate: float, output_rate: float, *, together: bool) -> Masks:
    """Take the smallest weights away: ``rate`` of what is left of the hidden layers, ``output_rate`` of the output's.

    Frankle & Carbin (2019): layer by layer; ``together`` pools the hidden layers, as they do for deep networks. How
    many stay is the same in every replicate and depends on the numbers that are left alone.
    """
    now = counts(masks)
    hidden, last = (weights[:-1], masks[:-1]), (weights[-1:], masks[-1:])
    if together:
        keep = torch.tensor([remaining(int(count), rate) for count in now[:-1].sum(0)])
        chosen = by_magnitude_of_all(*hidden, keep) if masks[:-1] else []
    else:
        keep = torch.tensor([[remaining(int(count), rate) for count in layer] for layer in now[:-1]])
        chosen = by_magnitude(*hidden, keep) if masks[:-1] else []
    keep = torch.tensor([[remaining(int(count), output_rate) for count in now[-1]]])
    return chosen + by_magnitude(*last, keep)


def shuffled(masks: Masks, generators: Sequence[torch.Generator]) -> Masks:
    """Shuffle each replicate's mask within each layer, by its own stream, [replicate]: the counts stay.

    Without regard to the mask that came in, the result is a uniformly random mask of these counts.
    """
    mixed = [torch.empty_like(mask) for mask in masks]
    for replicate, generator in enumerate(generators):
        for mask, new in zip(masks, mixed, strict=True):
            own = mask[replicate].flatten()
            new[replicate] = own[torch.randperm(len(own), generator=generator)].view(mask.shape[1:])
    return mixed


def named(population: MLPPopulation, masks: Masks) -> dict[str, Tensor]:
    """Return masks as ``learn.optim.FlatOptimiser`` takes them: padded 0/1 tensors by the parameter's name."""
    padded = {}
    for place, (layer, mask) in enumerate(zip(population.layers, masks, strict=True)):
        weight = layer.weight
        assert isinstance(weight, Tensor)
        full = torch.zeros(weight.shape, device=weight.device)
        full[:, : mask.shape[1], : mask.shape[2]] = mask.to(weight.device)
        padded[f"layers.{place}.weight"] = full
    return padded
