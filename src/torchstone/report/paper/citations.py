"""Which works a claim's source names: each entry of references.bib says by which words claims.yaml names it."""

from __future__ import annotations

import re
from collections.abc import Mapping

ENTRY = re.compile(r"@(\w+)\{([\w-]+),(.*?)(?=^@|\Z)", flags=re.DOTALL | re.MULTILINE)
FIELD = re.compile(r"(\w+) = \{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}", flags=re.DOTALL)


def entries(text: str) -> dict[str, dict[str, str]]:
    """Return the fields of each entry of a bibliography by its key, the kind of entry among them."""
    return {key: {"kind": kind, **dict(FIELD.findall(body))} for kind, key, body in ENTRY.findall(text)}


def named(works: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """Return the words by which claims name each work that they name at all."""
    return {
        key: [words.strip() for words in fields["keywords"].split(";")]
        for key, fields in works.items()
        if "keywords" in fields
    }


def cited(source: str, names: Mapping[str, list[str]]) -> list[str]:
    """Return the keys of the works that a source names, in the order in which it names them."""
    places: dict[str, int] = {}
    for key, phrases in names.items():
        for phrase in phrases:
            found = re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", source)
            if found:
                places[key] = min(places.get(key, found.start()), found.start())
    return sorted(places, key=lambda key: places[key])
