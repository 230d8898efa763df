"""Named random streams: randomness is addressed, never consumed in sequence.

A stream is keyed by a hash of the seed and a path of names ("order", replicate, epoch, ...). So replicate 7 draws
the same numbers whether or not replicate 6 exists, resuming needs no saved generator state, and a new consumer of
randomness moves no other. Nothing here touches a global generator.
"""

import hashlib

import numpy as np

Name = str | int


def key(seed: int, *names: Name) -> int:
    """Hash a seed and a path of names to 64 bits; 1 and "1" are different names.

    Raises TypeError on any other type: numpy's 3 would name another stream than Python's.
    """
    for name in (seed, *names):
        if type(name) not in (int, str):
            raise TypeError(f"a stream is named by str and int, not by {type(name).__name__} ({name!r})")
    path = "\x1f".join(f"{type(name).__name__}:{name}" for name in (seed, *names))
    return int.from_bytes(hashlib.blake2b(path.encode(), digest_size=8).digest(), "little")


def numpy_stream(seed: int, *names: Name) -> np.random.Generator:
    """Return the numpy generator of this name path, for data and resampling."""
    return np.random.Generator(np.random.PCG64(key(seed, *names)))


def library_seed(seed: int, *names: Name) -> int:
    """Return a 31-bit seed for a library that takes only an integer ``random_state``."""
    return key(seed, *names) % (2**31)
