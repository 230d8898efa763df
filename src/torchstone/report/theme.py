"""Colours of figures in the dark: each keeps its hue and is made light enough to be seen."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

DARK = "#1f2228"  # the card on which a figure lies in the dark
LIGHTEST, WHITE = "#f2f2ee", (1.0, 1.0, 1.0)  # what black becomes, and what colours are mixed with
SHAPE = 4.5  # contrast to the card that a colour should have at least
GREY = 0.08  # a colour whose channels lie so close together is a grey
USED = re.compile(r"var\(--([0-9a-f]{6})\)")
Channels = tuple[float, float, float]


def themed(colour: str) -> str:
    """Return how a figure names a colour: by a variable of the page if the dark changes it."""
    return colour if darkened(colour) == colour else f"var(--{colour[1:]})"


def declarations(figures: Iterable[str]) -> tuple[str, str]:
    """Return the CSS declarations of the variables that these figures use, for the light and for the dark."""
    used = sorted({colour for figure in figures for colour in USED.findall(figure)})
    light = ";".join(f"--{colour}:#{colour}" for colour in used)
    return light, ";".join(f"--{colour}:{darkened(f'#{colour}')}" for colour in used)


@cache
def darkened(colour: str) -> str:
    """Return what stands for a colour in the dark: greys are turned round, colours made lighter where they need it."""
    channels = _channels(colour)
    if max(channels) - min(channels) < GREY:
        return _grey(channels)
    card, share = _channels(DARK), 0.0
    lighter = channels
    while contrast(lighter, card) < SHAPE:
        share += 0.02
        lighter = _mixed(channels, WHITE, share)
    return _written(lighter)


def _grey(channels: Channels) -> str:
    """Turn a grey round: white becomes the card, black nearly white, and all between keeps its order."""
    return _written(_mixed(_channels(LIGHTEST), _channels(DARK), sum(channels) / 3))


def _mixed(one: Channels, other: Channels, share: float) -> Channels:
    """Return one colour with a share of another in it."""
    red, green, blue = ((1 - share) * a + share * b for a, b in zip(one, other, strict=True))
    return red, green, blue


def contrast(one: Channels, other: Channels) -> float:
    """Return the contrast of two colours as WCAG 2 defines it, from 1 to 21."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(channels: Channels) -> float:
    """Return the relative luminance of a colour as WCAG 2 defines it."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _channels(colour: str) -> Channels:
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue


def _written(channels: Channels) -> str:
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in channels)
