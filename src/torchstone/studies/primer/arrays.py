"""Does torch take arrays as numpy gives them: memory, shapes and dtypes?

``torch.from_numpy`` is documented to share an array's memory, ``torch.tensor`` to copy it. Shapes broadcast if, from
the last axis backwards, two sizes are equal or one of them is 1. Dtypes are where the libraries part: numpy 2 (NEP 50)
takes the smallest dtype that holds both; torch sorts dtypes into kinds (booleans, integers, floats, complex numbers)
and lets the higher kind decide, so that an integer's width never widens a float (torch.promote_types), and neither a
Python number nor an array of zero dimensions changes a dtype of its own kind or a higher one (torch.result_type).

Everything is a share of random draws, one number a replicate.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from torchstone.core.rng import numpy_stream

Array = npt.NDArray[Any]
Shape = tuple[int, ...]
DTYPES = (
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "complex64", "complex128",
)  # fmt: skip  # all that both libraries have
RANK = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}  # of a dtype's kind
NUMBERS: tuple[bool | int | float | complex, ...] = (True, 3, 1.5, 2.5j)  # a Python number of each rank
OPERATIONS = ("add", "multiply")
MOST_AXES, MOST_SIZE = 4, 3
EMPTY = 0.1  # share of axes without an entry


def random_shape(random: np.random.Generator, least: int = 0) -> Shape:
    """Draw a shape of at least so many axes; some axes are empty."""
    axes = int(random.integers(least, MOST_AXES + 1))
    return tuple(0 if random.random() < EMPTY else int(random.integers(1, MOST_SIZE + 1)) for _ in range(axes))


def random_array(random: np.random.Generator, dtype: str, shape: Shape) -> Array:
    """Draw small whole numbers, which no dtype overflows."""
    return random.integers(0, 4, shape).astype(dtype)


def name_of(tensor: Tensor) -> str:
    """Return a tensor's dtype by the name that numpy gives it."""
    return str(tensor.dtype).removeprefix("torch.")


def _view(random: np.random.Generator) -> Array:
    """Draw an array that has at least one entry; every second one is a view with strides of its own."""
    dtype = DTYPES[random.integers(len(DTYPES))]
    shape = tuple(max(size, 1) for size in random_shape(random, least=1))
    array = random_array(random, dtype, (*shape[:-1], 2 * shape[-1]))
    return array[..., ::2] if random.random() < 0.5 else array.copy()


def shares(make: Callable[[Array], Tensor], array: Array) -> bool:
    """Tell whether a number written into the array is read in the tensor made of it, and the other way round."""
    tensor = make(array)
    place = (0,) * array.ndim
    array[place] = not array[place]
    forth = bool(tensor[place].item() == array[place])
    tensor[place] = not tensor[place].item()
    return forth and bool(tensor[place].item() == array[place])


def memory(random: np.random.Generator, pairs: int) -> dict[str, dict[str, float]]:
    """Return the share of random arrays whose memory a tensor made by either function shares."""
    found = {}
    for arm, make in (("from_numpy", torch.from_numpy), ("tensor", torch.tensor)):
        found[arm] = {"shared": sum(shares(make, _view(random)) for _ in range(pairs)) / pairs}
    return found


def _partner(random: np.random.Generator, shape: Shape) -> Shape:
    """Draw a shape that often broadcasts with another: sizes are kept, become 1, or are drawn anew now and then."""
    sizes = [
        size if (luck := random.random()) < 0.5 else 1 if luck < 0.75 else int(random.integers(0, MOST_SIZE + 1))
        for size in shape
    ]
    return tuple(sizes[random.integers(0, len(sizes) + 1) :])  # leading axes may be missing


def outcome(add: Callable[[Any, Any], Any], a: Any, b: Any) -> tuple[Shape, bytes] | None:  # noqa: ANN401
    """Return the shape and the bytes of a sum, None if it is refused."""
    try:
        total = np.asarray(add(a, b))
    except (ValueError, RuntimeError):
        return None
    return total.shape, np.ascontiguousarray(total).tobytes()


def broadcasting(random: np.random.Generator, pairs: int) -> dict[str, dict[str, float]]:
    """Return the share of random pairs of shapes with which both libraries do the same, and what they refuse."""
    same = refused = 0
    for _ in range(pairs):
        one = random_shape(random)
        shapes = one, _partner(random, one)
        a, b = (random.standard_normal(shape) for shape in (shapes if random.random() < 0.5 else shapes[::-1]))
        theirs = outcome(np.add, a, b)
        # a scalar of numpy is no array, so it has to be made one for from_numpy
        ours = outcome(torch.add, torch.from_numpy(np.asarray(a)), torch.from_numpy(np.asarray(b)))
        same, refused = same + (ours == theirs), refused + (theirs is None)
    return {"broadcasting": {"agreement": same / pairs, "refused": refused / pairs}}


def _results(random: np.random.Generator, a: Array, b: Any) -> tuple[str, str]:  # noqa: ANN401  an array or a number
    """Return the dtype of a sum or product of an array and something else by torch and by numpy."""
    operation = OPERATIONS[random.integers(len(OPERATIONS))]
    other = torch.from_numpy(b) if isinstance(b, np.ndarray) else b
    ours = getattr(torch, operation)(torch.from_numpy(a), other)
    theirs = np.asarray(getattr(np, operation)(a, b))
    return name_of(ours), str(theirs.dtype)


def _pair(random: np.random.Generator) -> Iterator[tuple[str, str, bool]]:
    """Draw two arrays; yield (arm, metric, whether it holds) of each rule that speaks of them."""
    one, two = (DTYPES[place] for place in random.integers(len(DTYPES), size=2))
    shape = random_shape(random, least=1)
    a, b = random_array(random, one, shape), random_array(random, two, shape)
    ours, theirs = _results(random, a, b)
    ranks = sorted((RANK[a.dtype.kind], RANK[b.dtype.kind]))
    yield "two arrays", "agreement", ours == theirs
    if ranks[1] <= 1 or 1 not in ranks:
        yield "two arrays of kin", "agreement", ours == theirs
    else:
        yield "integers with floats", "agreement", ours == theirs
        yield "integers with floats", "keeps_floats", ours == max(one, two, key=lambda name: RANK[np.dtype(name).kind])


def _number(random: np.random.Generator) -> Iterator[tuple[str, str, bool]]:
    """Do the same with an array and a Python number."""
    dtype, rank = DTYPES[random.integers(len(DTYPES))], int(random.integers(len(NUMBERS)))
    array = random_array(random, dtype, random_shape(random, least=1))
    ours, theirs = _results(random, array, NUMBERS[rank])
    yield "array and number", "agreement", ours == theirs
    if rank <= RANK[array.dtype.kind]:
        yield "array and number of no higher kind", "agreement", ours == theirs == dtype


def _scalar(random: np.random.Generator) -> Iterator[tuple[str, str, bool]]:
    """Do the same with an array and one of zero dimensions."""
    one, two = (DTYPES[place] for place in random.integers(len(DTYPES), size=2))
    array, scalar = random_array(random, one, random_shape(random, least=1)), np.asarray(random_array(random, two, ()))
    ours, theirs = _results(random, array, scalar)
    yield "array and scalar array", "agreement", ours == theirs
    if RANK[scalar.dtype.kind] <= RANK[array.dtype.kind]:
        yield "array and scalar array of no higher kind", "keeps_array", ours == one


def dtypes(random: np.random.Generator, pairs: int) -> dict[str, dict[str, float]]:
    """Return the share of random sums and products at which each rule of dtypes holds, by arm and metric."""
    held: defaultdict[tuple[str, str], list[bool]] = defaultdict(list)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # torch's complex32 is experimental
        for draw in (_pair, _number, _scalar):
            for _ in range(pairs):
                for arm, metric, holds in draw(random):
                    held[arm, metric].append(holds)
    found: dict[str, dict[str, float]] = {}
    for (arm, metric), each in held.items():
        found.setdefault(arm, {})[metric] = sum(each) / len(each)
    return found


def arrays(seed: int, replicate: int, pairs: int) -> dict[str, dict[str, float]]:
    """Return what one replicate finds, a number for each arm and metric."""
    found: dict[str, dict[str, float]] = {}
    for name, check in (("memory", memory), ("broadcasting", broadcasting), ("dtypes", dtypes)):
        found |= check(numpy_stream(seed, "primer", name, replicate), pairs)
    return found
