"""How much memory a process takes at its worst moment."""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path

import torch

from torchstone.core.processes import KIB, allocate

FORGET = Path("/proc/self/clear_refs")  # a 5 written there resets VmHWM to VmRSS
PAGE = resource.getpagesize()


class Peak:
    """The most memory held since ``restart``, beyond what was held then; bytes.

    Where the system cannot forget a high-water mark, ``restart`` leaves it, and the peak is since this was made.
    """

    def __init__(self, device: str) -> None:
        self._cuda = torch.device(device).type == "cuda"
        self._base = self._mark()

    def _mark(self) -> int:
        if self._cuda:
            return torch.cuda.max_memory_allocated()
        mark = _resident("VmHWM")
        if mark is not None:
            return mark
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    def restart(self) -> None:
        """Forget the peak so far: count from what is held now."""
        if self._cuda:
            torch.cuda.reset_peak_memory_stats()
            self._base = torch.cuda.memory_allocated()
            return
        allocate(mapped_from=64 * KIB, kept=128 * KIB)
        with contextlib.suppress(OSError):
            FORGET.write_text("5")
            self._base = _resident("VmRSS") or self._base

    def bytes(self) -> int:
        """Return the peak, at least a page: a small batch may fit into what is already held."""
        return max(self._mark() - self._base, PAGE)


def _resident(field: str) -> int | None:
    """Return a field of this process's status on Linux, in bytes; None if there is no such thing."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    return None
