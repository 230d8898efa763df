"""Published road networks of the Transportation Networks repository, by pinned address and sha256.

They may be used for academic research only and their source must be named, so none is kept here and no stage of the
default pipeline needs one: `benchmarks/routing.py NAME` fetches one. The folder is `tntp/` in `TORCHSTONE_DATA`, or in
the user's cache. Source: Transportation Networks for Research Core Team, github.com/bstabler/TransportationNetworks.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pooch

from torchstone.core.errors import InputError, near_miss
from torchstone.core.files import digest, read_bytes

ADDRESS = "https://raw.githubusercontent.com/bstabler/TransportationNetworks/d1639b4ef218c17928ba573e806ddf8ba5e7ae6d/"
FILES = {  # name: (path there, sha256)
    "sioux-falls": (
        "SiouxFalls/SiouxFalls_net.tntp",
        "ace99b24cec69c273ff0cf3d6d074110177f0cc0ae24b0c7a9f4f4cb5e27635c",
    ),
    "anaheim": (
        "Anaheim/Anaheim_net.tntp",
        "99933b415e9500b13907829c37a43cfa9141714fad5af279081e28e5f9356f9a",
    ),
    "chicago-sketch": (
        "Chicago-Sketch/ChicagoSketch_net.tntp",
        "4396bff6101cb5ad3edaf0eb5b9aec051055cb7f0d85be907d24b43f98bf0027",
    ),
}
COLUMNS = ("init", "term", "capacity", "length", "free", "b", "power", "speed", "toll", "type")
Floats = npt.NDArray[np.float64]


def parse(text: str) -> dict[str, Floats]:
    """Read a network file: one row a link after the metadata, columns as in ``COLUMNS``; junctions count from 1."""
    _, marker, body = text.partition("<END OF METADATA>")
    if not marker:
        raise InputError("no <END OF METADATA>: this is no TNTP network")
    lines = [line.strip().rstrip(";").split() for line in body.splitlines()]
    rows = [[float(value) for value in line] for line in lines if line and not line[0].startswith("~")]
    if not rows or {len(row) for row in rows} != {len(COLUMNS)}:
        raise InputError(f"a TNTP network has {len(COLUMNS)} columns, this one {sorted({len(row) for row in rows})}")
    return dict(zip(COLUMNS, np.asarray(rows).T, strict=True))


def links(name: str) -> dict[str, Floats]:
    """Return the links of a published network, fetched if need be; raises InputError if it is not the published one."""
    if name not in FILES:
        raise InputError(f"unknown road network '{name}'; {near_miss(name, FILES)}")
    there, sha256 = FILES[name]
    path = Path(os.environ.get("TORCHSTONE_DATA") or pooch.os_cache("torchstone")) / "tntp" / Path(there).name
    if not path.exists():
        try:
            pooch.retrieve(ADDRESS + there, known_hash=f"sha256:{sha256}", fname=path.name, path=path.parent)
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: missing, and {ADDRESS}{there} could not be fetched ({error})") from None
    content = read_bytes(path, remedy="make it readable, or delete it to have it fetched again")
    if digest(content) != sha256:
        raise InputError(f"{path}: damaged, it has not the sha256 {sha256}; delete it to have it fetched again")
    return parse(content.decode())
