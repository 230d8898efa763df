"""sources.yaml read strictly: what the claims cite, in full and with a link."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from torchstone.core.params import read_yaml, validated
from torchstone.core.schema import Section


class Source(Section):
    """One publication."""

    cited: str = Field(description="how claims.yaml names it")
    text: str
    url: str | None = Field(default=None, pattern=r"^https://")

    @property
    def anchor(self) -> str:
        """The name of its place on the page."""
        return "source-" + re.sub(r"[^a-z0-9]+", "-", self.cited.lower()).strip("-")

    def is_named_in(self, text: str) -> bool:
        """Say whether a claim's source names it; "Breiman 1996" is not "Breiman 1996b"."""
        return re.search(rf"{re.escape(self.cited)}(?![A-Za-z0-9])", text) is not None


class Sources(Section):
    """The whole of sources.yaml."""

    sources: list[Source]


def load_sources(path: Path) -> list[Source]:
    """Read and check sources.yaml; raises InputError naming key, value and what would be right."""
    sources: Sources = validated(path, Sources, read_yaml(path))
    return sources.sources


def citing(sources: Sequence[Source], records: Sequence[dict[str, Any]]) -> list[tuple[Source, list[str]]]:
    """Return the sources that claims name, in the order of their names, with the ids of these claims."""
    pairs = [(source, [one["id"] for one in records if source.is_named_in(one["source"])]) for source in sources]
    return sorted(((source, names) for source, names in pairs if names), key=lambda pair: pair[0].cited)
