"""One week of METR-LA: speeds of 207 loop detectors of Los Angeles, every five minutes; fetched and always checked.

The file is that of T-GCN (Zhao et al. 2019), MIT licence, in which its authors filled the gaps; the detectors are
those of DCRNN (Li et al. 2018). The folder is `metr-la-week/` in `TORCHSTONE_DATA`, or in the user's cache.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pooch

from torchstone.core.errors import InputError
from torchstone.core.files import digest, read_bytes

ADDRESS = "https://raw.githubusercontent.com/lehaifeng/T-GCN/219a2346f5bf68d54d91a948e7a41a08f9edc46b/data/"
SHA256 = {
    "los_speed.csv": "7b732d86ae32b2930595becba28aff39dacbfb2197e250fc0332e1744ce2cbf4",
    "los_adj.csv": "7a6eb41e10677992b5af50f5ab187c6c05c5c3a92cb973950cfddbf857361e76",
}
FOLDER = "metr-la-week"
FIRST_WEEKDAY = 3  # Thursday, 2012-03-01; the file has no dates, they are METR-LA's
BINS, DAYS, DETECTORS = 288, 7, 207
Floats = npt.NDArray[np.float64]


def content_of(name: str) -> bytes:
    """Return a file, from disk if it lies there, else fetched; raises InputError if it is not the published one."""
    path = Path(os.environ.get("TORCHSTONE_DATA") or pooch.os_cache("torchstone")) / FOLDER / name
    if not path.exists():
        try:
            pooch.retrieve(
                ADDRESS + name, known_hash=f"sha256:{SHA256[name]}", fname=name, path=path.parent,
                downloader=pooch.HTTPDownloader(progressbar=True),
            )  # fmt: skip
        except (OSError, ValueError) as error:
            remedy = f"put it there by hand, or set TORCHSTONE_DATA to a folder that holds {FOLDER}/"
            raise InputError(f"{path}: missing, and {ADDRESS}{name} could not be fetched ({error}); {remedy}") from None
    content = read_bytes(path, remedy="make it readable, or delete it to have it fetched again")
    if digest(content) != SHA256[name]:
        raise InputError(f"{path}: damaged, it has not the sha256 {SHA256[name]}; delete it to have it fetched again")
    return content


def week() -> tuple[Floats, Floats]:
    """Return mph, [day, detector, bin], and how near detectors are by road, [detector, detector] with 1 for itself."""
    speeds = np.loadtxt(io.BytesIO(content_of("los_speed.csv")), delimiter=",", skiprows=1)
    near = np.loadtxt(io.BytesIO(content_of("los_adj.csv")), delimiter=",")
    if speeds.shape != (DAYS * BINS, DETECTORS) or near.shape != (DETECTORS, DETECTORS):
        raise InputError(f"los_speed.csv: {speeds.shape}, and los_adj.csv: {near.shape}, are not the published tables")
    return speeds.reshape(DAYS, BINS, DETECTORS).transpose(0, 2, 1).copy(), near
