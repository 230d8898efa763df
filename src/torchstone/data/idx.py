"""MNIST and Fashion-MNIST: four IDX files each, looked for on disk, else fetched, and always checked.

The sha256 is that of the *raw* file, since archives of the same rows differ (Debian's gz lack the stored file name).
The folder is `TORCHSTONE_DATA`, or the user's cache; in it `mnist/` and `fashion-mnist/` hold the files, raw or gz,
so that Debian's /usr/share/datasets serves as it is. Where they lie can change no result: content is verified.
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pooch

from torchstone.core import rng
from torchstone.core.errors import InputError
from torchstone.core.files import digest, read_bytes
from torchstone.core.schema import Fixed
from torchstone.data.prepared import Indices, Prepared, Singles, Split, held_out

Bytes = npt.NDArray[np.uint8]

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
CLASSES = 10
UNSIGNED_BYTE = 8  # the type code in the third byte of an IDX file
LEVELS = 256


@dataclass(frozen=True)
class Archive:
    """A published data set: its name in params.yaml, its folder, its address, the sha256 of each raw file."""

    name: str
    folder: str
    address: str
    sha256: Mapping[str, str]


MNIST = Archive(
    "mnist",
    "mnist",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    {
        TRAIN_IMAGES: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        TRAIN_LABELS: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        TEST_IMAGES: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        TEST_LABELS: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
)
FASHION_MNIST = Archive(
    "fashion_mnist",
    "fashion-mnist",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    {
        TRAIN_IMAGES: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        TRAIN_LABELS: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        TEST_IMAGES: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        TEST_LABELS: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
)


def folder_of(archive: Archive) -> Path:
    """Return where this archive's files lie: under TORCHSTONE_DATA if it is set, else in the user's cache."""
    root = os.environ.get("TORCHSTONE_DATA") or pooch.os_cache("torchstone")
    return Path(root) / archive.folder


def verified(path: Path, sha256: str) -> bytes | None:
    """Return the raw content of a raw or gz file, or None if it is damaged."""
    content = read_bytes(path, remedy="make it readable, or delete it to have it fetched again")
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            return None
    return content if digest(content) == sha256 else None


def download(archive: Archive, path: Path) -> None:
    """Fetch a gz file to ``path``; raises InputError with address and remedy if that fails."""
    address = f"{archive.address}{path.name}"
    remedy = f"put it there by hand (raw or .gz), or set TORCHSTONE_DATA to a folder that holds {archive.folder}/"
    try:
        # The address serves an archive, whose own hash is no promise: the raw content is checked by the caller.
        pooch.retrieve(
            address, known_hash=None, fname=path.name, path=path.parent, downloader=pooch.HTTPDownloader(True)
        )
    except OSError as error:
        raise InputError(f"{path}: missing, and {address} could not be fetched ({error}); {remedy}") from None


def content_of(archive: Archive, name: str) -> bytes:
    """Return one raw IDX file, from disk if a good copy lies there, else fetched; raises InputError if neither."""
    raw = folder_of(archive) / name
    zipped = raw.with_name(f"{name}.gz")
    address, sha256 = f"{archive.address}{zipped.name}", archive.sha256[name]
    present = [path for path in (raw, zipped) if path.exists()]
    for path in present:
        content = verified(path, sha256)
        if content is not None:
            return content
    if present:
        raise InputError(
            f"{present[0]}: damaged, its raw content has not the sha256 {sha256}; "
            f"delete it to have it fetched from {address}, or put a good copy in its place"
        )
    download(archive, zipped)
    content = verified(zipped, sha256)
    if content is None:
        zipped.unlink()
        raise InputError(
            f"{zipped}: {address} served content that has not the raw sha256 {sha256}, so it was deleted; "
            f"try again, or put a good copy there by hand"
        )
    return content


def parse_idx(content: bytes, axes: int, name: str) -> Bytes:
    """Read an IDX file of unsigned bytes: two zeros, the type, the number of axes, big-endian sizes, the values."""
    start = 4 + 4 * axes
    if content[:4] != bytes([0, 0, UNSIGNED_BYTE, axes]) or len(content) < start:
        raise InputError(f"{name}: not an IDX file of unsigned bytes with {axes} axes (it starts {content[:4]!r})")
    sizes = tuple(int(size) for size in np.frombuffer(content, ">u4", axes, 4))
    if len(content) - start != math.prod(sizes):
        raise InputError(f"{name}: {len(content) - start} values, but its header says {sizes}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(sizes)


def part(archive: Archive, images: str, labels: str) -> tuple[Bytes, Indices]:
    """Return pixels `[sample, row, column]` and labels `[sample]` of the published train or test part."""
    x = parse_idx(content_of(archive, images), 3, images)
    y = parse_idx(content_of(archive, labels), 1, labels).astype(np.int64)
    if len(x) != len(y):
        raise InputError(f"{archive.name}: {len(x)} images in {images}, but {len(y)} labels in {labels}")
    return x, y


def grey_levels(pixels: Bytes) -> Singles:
    """Return the standardised value of each of the 256 grey levels, by the mean and sd of all these pixels.

    Integer sums, so exact; and a table, so that 47 million pixels need no float64 copy.
    """
    count = pixels.size
    total = int(pixels.sum(dtype=np.int64))
    squares = int(np.square(pixels, dtype=np.uint16).sum(dtype=np.int64))
    sd = math.sqrt(count * squares - total * total) / count
    if sd == 0:
        return np.zeros(LEVELS, dtype=np.float32)
    return ((np.arange(LEVELS) - total / count) / sd).astype(np.float32)


def split_training(archive: Archive, row: Fixed, seed: int) -> Prepared:
    """Split the published training rows afresh for each replicate; the published test rows stay the test."""
    x, y = part(archive, TRAIN_IMAGES, TRAIN_LABELS)
    test_x, test_y = part(archive, TEST_IMAGES, TEST_LABELS)
    splits = []
    for replicate in range(row.replicates):
        state = rng.library_seed(seed, archive.name, "split", replicate, "valid")
        splits.append(held_out(y, row.valid, state, archive.name))
    kept, drawn = (np.stack(indices) for indices in zip(*splits, strict=True))
    # Filled in place: a list of replicates stacked at the end would need the memory twice.
    train, valid, test = (
        np.empty((row.replicates, rows, *x.shape[1:]), np.float32) for rows in (kept.shape[1], row.valid, len(test_x))
    )
    for replicate in range(row.replicates):
        pixels = x[kept[replicate]]
        value = grey_levels(pixels)
        train[replicate], valid[replicate], test[replicate] = (
            value[pixels],
            value[x[drawn[replicate]]],
            value[test_x],
        )
    every_test_y = np.tile(test_y, (row.replicates, 1))
    return Prepared(Split(train, y[kept]), Split(valid, y[drawn]), Split(test, every_test_y), CLASSES)


def mnist(row: Fixed, seed: int) -> Prepared:
    """Return MNIST, 60,000 and 10,000 rows, x `[replicate, sample, 28, 28]`. Source: LeCun, Cortes & Burges 1998."""
    return split_training(MNIST, row, seed)


def fashion_mnist(row: Fixed, seed: int) -> Prepared:
    """Return Fashion-MNIST, shaped as MNIST. Source: Xiao, Rasul & Vollgraf 2017, arXiv 1708.07747."""
    return split_training(FASHION_MNIST, row, seed)
