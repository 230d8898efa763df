"""Laws of the IDX sources, on tiny files; nothing here reaches for the network."""

from __future__ import annotations

import gzip
import hashlib
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pooch
import pytest

from torchstone.core.errors import InputError
from torchstone.core.schema import Fixed
from torchstone.data import idx
from torchstone.data.sources import prepare

ROW = Fixed(replicates=3, valid=20)
TRAIN_Y = np.repeat(np.arange(10), 6).astype(np.uint8)
TEST_Y = np.arange(20, dtype=np.uint8) % 10


def encoded(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def tiny() -> dict[str, bytes]:
    """60 and 20 images of 28x28 whose top left pixels name the row and its label."""
    files = {}
    for images, labels, y, seed in (
        (idx.TRAIN_IMAGES, idx.TRAIN_LABELS, TRAIN_Y, 1),
        (idx.TEST_IMAGES, idx.TEST_LABELS, TEST_Y, 2),
    ):
        x = np.random.default_rng(seed).integers(0, 256, (len(y), 28, 28), dtype=np.uint8)
        x[:, 0, 0] = np.arange(len(y))
        files[images], files[labels] = encoded(x), encoded(y)
    return files


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Pretend that the tiny files are MNIST, in a folder of this test, without a network."""
    content = tiny()
    sums = {name: hashlib.sha256(raw).hexdigest() for name, raw in content.items()}
    archive = idx.Archive("mnist", "mnist", "https://example.invalid/mnist/", sums)
    monkeypatch.setattr(idx, "MNIST", archive)
    monkeypatch.setenv("TORCHSTONE_DATA", str(tmp_path))
    monkeypatch.setattr(pooch, "retrieve", refuse)
    (tmp_path / "mnist").mkdir()
    return content


def refuse(*_: object, **__: object) -> str:
    raise ConnectionError("no network")


def serve(content: dict[str, bytes]) -> Callable[..., str]:
    """Stand in for pooch.retrieve by writing these files."""

    def retrieve(url: str, known_hash: None, fname: str, path: Path, downloader: object) -> str:
        assert url == f"https://example.invalid/mnist/{fname}"
        path.mkdir(parents=True, exist_ok=True)
        (path / fname).write_bytes(content[fname])
        return str(path / fname)

    return retrieve


def put(folder: Path, content: dict[str, bytes], zipped: bool = False) -> None:
    for name, raw in content.items():
        (folder / "mnist" / f"{name}{'.gz' if zipped else ''}").write_bytes(gzip.compress(raw) if zipped else raw)


@pytest.mark.parametrize("zipped", [False, True], ids=["raw", "gz"])
def test_files_put_by_hand_are_read_raw_or_zipped(tmp_path: Path, files: dict[str, bytes], zipped: bool) -> None:
    put(tmp_path, files, zipped)
    prepared = prepare("mnist", ROW, seed=1)
    assert prepared.classes == 10
    for split, rows in ((prepared.train, 40), (prepared.valid, 20), (prepared.test, 20)):
        assert split.x.shape == (3, rows, 28, 28)
        assert split.x.dtype == np.float32
        assert split.y.shape == (3, rows)
        assert split.y.dtype == np.int64


def test_each_replicate_splits_the_training_rows_and_keeps_the_published_test(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    put(tmp_path, files)
    prepared = prepare("mnist", ROW, seed=1)
    published = idx.parse_idx(files[idx.TRAIN_IMAGES], 3, "x")
    tests = idx.parse_idx(files[idx.TEST_IMAGES], 3, "x")
    for replicate in range(3):
        pixels, rows = np.empty((0, 28, 28)), np.empty(0, int)
        train = prepared.train.x[replicate]
        ordered = np.unique(train)  # standardising is increasing, so grey levels are the ranks (all 256 occur)
        assert len(ordered) == 256
        for split in (prepared.train, prepared.valid):
            levels = np.searchsorted(ordered, split.x[replicate])
            row_of = levels[:, 0, 0]
            np.testing.assert_array_equal(split.y[replicate], TRAIN_Y[row_of])
            pixels, rows = np.concatenate([pixels, levels]), np.concatenate([rows, row_of])
        np.testing.assert_array_equal(pixels, published[rows])
        np.testing.assert_array_equal(np.sort(rows), np.arange(60))
        np.testing.assert_array_equal(np.bincount(prepared.valid.y[replicate]), 2)
        np.testing.assert_array_equal(np.searchsorted(ordered, prepared.test.x[replicate]), tests)
        np.testing.assert_array_equal(prepared.test.y[replicate], TEST_Y)
        assert train.mean() == pytest.approx(0, abs=1e-6)
        assert train.std() == pytest.approx(1, abs=1e-6)


def test_an_idx_replicate_does_not_depend_on_their_number(tmp_path: Path, files: dict[str, bytes]) -> None:
    put(tmp_path, files)
    few, many = prepare("mnist", Fixed(replicates=1, valid=20), 1), prepare("mnist", ROW, 1)
    np.testing.assert_array_equal(few.train.x[0], many.train.x[0])
    np.testing.assert_array_equal(few.valid.y[0], many.valid.y[0])
    assert not np.array_equal(many.valid.x[0], many.valid.x[1])


def test_grey_levels_are_the_plain_standardisation() -> None:
    pixels = np.random.default_rng(3).integers(0, 200, (7, 28, 28), dtype=np.uint8)
    expected = (np.arange(256) - pixels.mean()) / pixels.std()
    np.testing.assert_allclose(idx.grey_levels(pixels), expected, rtol=1e-6)
    np.testing.assert_array_equal(idx.grey_levels(np.full((2, 3, 3), 9, np.uint8)), 0)


def test_a_missing_file_without_network_names_file_address_and_remedy(tmp_path: Path, files: dict[str, bytes]) -> None:
    missing = tmp_path / "mnist" / f"{idx.TRAIN_IMAGES}.gz"
    with pytest.raises(InputError, match=re.escape(f"{missing}: missing")) as raised:
        prepare("mnist", ROW, seed=1)
    for word in (f"https://example.invalid/mnist/{idx.TRAIN_IMAGES}.gz", "no network", "TORCHSTONE_DATA"):
        assert word in str(raised.value)


@pytest.mark.parametrize("damage", [lambda raw: raw[:-1], lambda raw: raw[:20] + b"\xff" + raw[21:], lambda _: b""])
@pytest.mark.parametrize("zipped", [False, True], ids=["raw", "gz"])
def test_a_damaged_file_is_named_and_left_in_place(
    tmp_path: Path, files: dict[str, bytes], zipped: bool, damage: Callable[[bytes], bytes]
) -> None:
    put(tmp_path, files, zipped)
    path = tmp_path / "mnist" / f"{idx.TEST_LABELS}{'.gz' if zipped else ''}"
    content = damage(path.read_bytes())
    path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(f"{path}: damaged")) as raised:
        prepare("mnist", ROW, seed=1)
    assert f"https://example.invalid/mnist/{idx.TEST_LABELS}.gz" in str(raised.value)
    assert path.read_bytes() == content


def test_a_good_archive_serves_beside_a_damaged_raw_file(tmp_path: Path, files: dict[str, bytes]) -> None:
    put(tmp_path, files, zipped=True)
    (tmp_path / "mnist" / idx.TRAIN_IMAGES).write_bytes(b"half a file")
    assert prepare("mnist", ROW, seed=1).train.x.shape == (3, 40, 28, 28)


def test_missing_files_are_fetched_once_and_kept(
    tmp_path: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = {f"{name}.gz": gzip.compress(raw) for name, raw in files.items()}
    monkeypatch.setattr(pooch, "retrieve", serve(served))
    first = prepare("mnist", ROW, seed=1)
    monkeypatch.setattr(pooch, "retrieve", refuse)
    np.testing.assert_array_equal(prepare("mnist", ROW, seed=1).train.x, first.train.x)


def test_other_content_from_the_address_is_refused_and_not_kept(
    tmp_path: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = {f"{name}.gz": gzip.compress(raw + b"!") for name, raw in files.items()}
    monkeypatch.setattr(pooch, "retrieve", serve(served))
    with pytest.raises(InputError, match=r"https://example\.invalid/mnist/train-images.* served content"):
        prepare("mnist", ROW, seed=1)
    assert list((tmp_path / "mnist").iterdir()) == []


@pytest.mark.parametrize("valid", [5, 55, 60, 10_000])
def test_a_validation_set_too_small_or_too_large_is_refused(
    tmp_path: Path, files: dict[str, bytes], valid: int
) -> None:
    put(tmp_path, files)
    with pytest.raises(InputError, match=rf"prepare\.mnist: cannot hold out {valid} of 60 rows"):
        prepare("mnist", Fixed(replicates=1, valid=valid), seed=1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file"),
        (b"\x00\x00\x08\x01\x00\x00", "not an IDX file"),
        (b"\x00\x00\x0d\x01" + struct.pack(">I", 1) + b"1234", "not an IDX file"),
        (encoded(np.zeros((2, 2), np.uint8)), "not an IDX file"),
        (encoded(np.zeros(4, np.uint8))[:-1], r"3 values, but its header says \(4,\)"),
        (encoded(np.zeros(4, np.uint8)) + b"5", r"5 values, but its header says \(4,\)"),
    ],
)
def test_the_parser_checks_magic_and_sizes(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=f"labels: {message}"):
        idx.parse_idx(content, 1, "labels")


def test_images_and_labels_must_be_as_many(
    tmp_path: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = files | {idx.TEST_LABELS: encoded(TEST_Y[:-1])}
    sums = {name: hashlib.sha256(raw).hexdigest() for name, raw in files.items()}
    monkeypatch.setattr(idx, "MNIST", idx.Archive("mnist", "mnist", "https://example.invalid/", sums))
    put(tmp_path, files)
    with pytest.raises(InputError, match=r"20 images in .* but 19 labels"):
        prepare("mnist", ROW, seed=1)


@pytest.mark.parametrize("archive", [idx.MNIST, idx.FASHION_MNIST], ids=["mnist", "fashion"])
def test_every_file_of_an_archive_has_a_sum(archive: idx.Archive) -> None:
    assert set(archive.sha256) == {idx.TRAIN_IMAGES, idx.TRAIN_LABELS, idx.TEST_IMAGES, idx.TEST_LABELS}
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in archive.sha256.values())


def test_the_cache_is_the_users_unless_a_folder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHSTONE_DATA", raising=False)
    assert idx.folder_of(idx.MNIST) == Path(pooch.os_cache("torchstone")) / "mnist"
    monkeypatch.setenv("TORCHSTONE_DATA", "/usr/share/datasets")
    assert idx.folder_of(idx.FASHION_MNIST) == Path("/usr/share/datasets/fashion-mnist")
