"""The one exception that a user is meant to read."""

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """Something the user gave is wrong; the message names file, key, value and remedy."""


def near_miss(word: str, known: Iterable[str]) -> str:
    """Say which known word a mistyped one resembles, or list the known ones if none does."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(names)}"
