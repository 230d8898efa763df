"""Laws of the one writer: whole files or none, the same bytes for the same content, and errors that say what to do."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from torchstone.core.errors import InputError
from torchstone.core.files import (
    read_arrays,
    read_bytes,
    read_json,
    rounded,
    write_arrays,
    write_bytes,
    write_json,
    write_svg,
    write_text,
)


def full_disk(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(("owner", "name"), [(os, "fsync"), (Path, "replace"), (Path, "chmod")])
@pytest.mark.parametrize("existed", [True, False])
def test_a_write_that_fails_leaves_the_old_file_and_no_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, existed: bool
) -> None:
    path = tmp_path / "file.bin"
    if existed:
        write_bytes(path, b"old")
    monkeypatch.setattr(owner, name, full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_bytes(path, b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == ([("file.bin", b"old")] * existed)


def test_a_kill_during_a_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.bin"
    write_bytes(path, b"old")

    def killed(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(path, b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("file.bin", b"old")]


def test_the_content_is_on_disk_before_the_file_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    flush, move = os.fsync, Path.replace

    def fsync(handle: int) -> None:
        order.append("flush")
        flush(handle)

    def replace(source: Path, target: Path) -> Path:
        order.append("move")
        assert source.parent == target.parent  # a rename over two disks would be no single step
        return move(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    write_bytes(tmp_path / "new" / "folder" / "file", b"content")
    assert order == ["flush", "move"]


def test_the_same_arrays_give_the_same_bytes_whatever_their_order_and_the_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = np.linspace(0, 1, 7), np.arange(3, dtype=np.int32)
    write_arrays(tmp_path / "one.npz", {"x": x, "y": y})
    later = time.time() + 86_400 * 400
    monkeypatch.setattr(time, "time", lambda: later)
    write_arrays(tmp_path / "two.npz", {"y": y, "x": x})
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    arrays = {"x": np.array([[1.5, np.nan], [-0.0, np.inf]]), "n": np.asarray(3), "s": np.array(["a", "bc"])}
    write_arrays(tmp_path / "file.npz", arrays)
    found = read_arrays(tmp_path / "file.npz")
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_arrays_of_python_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="'odd' holds Python objects"):
        write_arrays(tmp_path / "file.npz", {"fine": np.zeros(2), "odd": np.array([{}, None])})
    assert not list(tmp_path.iterdir())


def test_json_bytes_depend_on_the_content_alone(tmp_path: Path) -> None:
    write_json(tmp_path / "one", {"b": [1, 2.5], "a": {"z": None, "y": "é"}})
    write_json(tmp_path / "two", {"a": {"y": "é", "z": None}, "b": [1, 2.5]})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert read_json(tmp_path / "one") == {"a": {"y": "é", "z": None}, "b": [1, 2.5]}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_json_refuses_what_is_not_a_number(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "file.json", {"fine": 1.0, "row": [value]})
    assert not list(tmp_path.iterdir())


def test_text_ends_its_lines_alike_on_every_system(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "ä\nb\n")
    assert (tmp_path / "file").read_bytes() == b"\xc3\xa4\nb\n"


def test_a_figure_has_the_same_bytes_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    def drawn(name: str) -> bytes:
        figure = Figure(figsize=(2, 2))
        axes = figure.subplots()
        axes.plot([0, 1, 2], [3, 1, 2], marker="o", label="line")
        axes.fill_between([0, 1, 2], [2, 0, 1], [4, 2, 3], alpha=0.3, hatch="/")
        axes.legend()
        write_svg(tmp_path / name, figure)
        return (tmp_path / name).read_bytes()

    first = drawn("one.svg")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    second = drawn("two.svg")
    assert first == second
    assert b"<dc:date>" not in first


def test_a_missing_file_is_named_with_its_remedy(tmp_path: Path) -> None:
    path = tmp_path / "none.npz"
    with pytest.raises(InputError, match=r"none\.npz: file is missing; run `dvc repro`"):
        read_arrays(path)
    with pytest.raises(InputError, match=r"none\.npz: file is missing; ask"):
        read_bytes(path, remedy="ask")
    with pytest.raises(InputError, match="cannot be read"):
        read_bytes(tmp_path)


def test_damaged_json_is_named_with_its_remedy(tmp_path: Path) -> None:
    for content in (b"", b'{"a": ', b"\xff\xfe\x00"):
        (tmp_path / "file.json").write_bytes(content)
        with pytest.raises(InputError, match=r"file\.json: damaged JSON .*dvc repro"):
            read_json(tmp_path / "file.json")


def test_an_npz_damaged_in_any_byte_is_read_right_or_named_with_its_remedy(tmp_path: Path) -> None:
    path = tmp_path / "file.npz"
    arrays = {"a": np.arange(3), "b": np.eye(2)}
    write_arrays(path, arrays)
    content = path.read_bytes()
    cut = [content[:length] for length in range(0, len(content), 7)]
    flipped = [
        content[:place] + bytes([value]) + content[place + 1 :]
        for place in range(len(content))
        for value in (0, content[place] ^ 64)
    ]
    complaints = []
    for damaged in cut + flipped:
        path.write_bytes(damaged)
        try:
            found = read_arrays(path)
        except InputError as error:
            complaints.append(str(error))
        else:
            for name in set(found) & set(arrays):
                np.testing.assert_array_equal(found[name], arrays[name])
    assert len(complaints) > len(content) / 2
    assert all("file.npz: damaged array file" in text and "dvc repro" in text for text in complaints)


def test_pickles_and_bare_arrays_are_no_npz(tmp_path: Path) -> None:
    path = tmp_path / "file.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(InputError, match="damaged array file"):
        read_arrays(path)
    with path.open("wb") as file:
        np.savez(file, odd=np.array([{}, None]))
    with pytest.raises(InputError, match="damaged array file"):
        read_arrays(path)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.1 + 0.2, 0.3), (0.0, 0.0), (-1234567.123456789, -1234567.12346), (1.23456789012345e-20, 1.23456789012e-20)],
)
def test_rounding_keeps_significant_digits(value: float, expected: float) -> None:
    assert rounded(value) == expected
    assert rounded(rounded(value)) == rounded(value)
    assert rounded(float("inf")) == float("inf")
