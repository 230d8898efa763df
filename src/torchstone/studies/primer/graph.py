"""The computation graph of one small function, with the value and the gradient at every node.

f(x1, x2) = log x1 + x1 x2 - sin x2 at (2, 5), the example of Baydin et al. 2018, Automatic differentiation in machine
learning: a survey. x1 and x2 each count twice, so their gradients are sums over two paths. The graph is not typed in:
it is the one that autograd built, walked from the result back to the leaves.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.autograd.graph import Node

from torchstone.core.files import Arrays

PLACE = {"x1": 2.0, "x2": 5.0}
SIGNS = {"Log": "log", "Mul": "\N{MULTIPLICATION SIGN}", "Add": "+", "Sub": "\N{MINUS SIGN}", "Sin": "sin"}


def evaluate(x1: Tensor, x2: Tensor) -> list[Tensor]:
    """Return every step of the function, the result last."""
    first, second, third = x1.log(), x1 * x2, x2.sin()
    total = first + second
    return [first, second, third, total, total - third]


def walk(result: Node) -> tuple[list[Node], list[tuple[Node, Node]]]:
    """Return the nodes of autograd's graph, inputs before what is made of them, and its edges (from, to)."""
    nodes: list[Node] = []
    edges: list[tuple[Node, Node]] = []

    def visit(node: Node) -> None:
        if node in nodes:
            return
        for below, _ in node.next_functions:
            if below is not None:
                visit(below)
                edges.append((below, node))
        nodes.append(node)

    visit(result)
    return nodes, edges


def graph() -> Arrays:
    """Return what a figure of kind ``graphs`` needs: values and gradients [node, 2], labels [node], edges [edge, 2]."""
    leaves = {name: torch.tensor(at, dtype=torch.float64, requires_grad=True) for name, at in PLACE.items()}
    steps = evaluate(*leaves.values())
    for step in steps:
        step.retain_grad()
    steps[-1].backward()  # type: ignore[no-untyped-call]
    result = steps[-1].grad_fn
    assert result is not None
    nodes, edges = walk(result)
    made = {step.grad_fn: step for step in steps}
    names = {id(leaf): name for name, leaf in leaves.items()}
    rows, labels = [], []
    for node in nodes:
        known = made.get(node)
        tensor = node.variable if known is None else known  # type: ignore[attr-defined]  # a leaf's node has it
        assert isinstance(tensor, Tensor)
        labels.append(names[id(tensor)] if known is None else SIGNS[node.name().removesuffix("Backward0")])
        assert tensor.grad is not None
        rows.append((tensor.item(), tensor.grad.item()))
    places = {node: place for place, node in enumerate(nodes)}
    return {
        "graph": np.asarray(rows),
        "graph_labels": np.asarray(labels),
        "graph_edges": np.asarray([(places[low], places[high]) for low, high in edges]),
    }
