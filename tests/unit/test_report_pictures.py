"""Sample pictures: what is drawn is the array, pixel for pixel, with its labels; what cannot be drawn is named."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from pydantic import ValidationError

from tests.unit.pages import leads_out, page
from torchstone.core.errors import InputError
from torchstone.core.files import write_arrays, write_svg
from torchstone.core.params import load_params
from torchstone.report.figures import styles
from torchstone.report.kinds import KINDS, drawing
from torchstone.report.pictures import BETWEEN, sheet
from torchstone.report.plan import Figure, Plan, load_plan
from torchstone.report.tables import Trials

ROOT = Path(__file__).resolve().parents[2]
PLAN = load_plan(ROOT / "studies.yaml")
PARAMS = load_params(ROOT / "params.yaml")
WHERE = "minima/mnist1d"
FILE = r"studies\.yaml: figure f: minima/mnist1d/pictures\.npz: "
NOISE = np.random.default_rng(0).random((10, 8, 28, 28))
ARRAYS: dict[str, Any] = {
    "digits": (255 * NOISE).astype(np.uint8),
    "digits_rows": [f"digit {place}" for place in range(10)],
    "digits_columns": [f"round {place}" for place in range(8)],
    "kept": NOISE[:3, :4, :9, :7],
    "change": NOISE[:2, :5, :12, :12] - 0.75,
    "photos": (255 * NOISE[:2, :3, :16, :16, None] * [1, 0.5, 0]).astype(np.uint8),
}


def _panel(name: str, **changed: Any) -> dict[str, Any]:
    return {"title": name, "trials": WHERE, "picture": name} | changed


def _figure(*panels: dict[str, Any], **changed: Any) -> Figure:
    whole = {"name": "f", "kind": "images", "title": "t", "caption": "c", "panels": list(panels)}
    return Figure.model_validate(whole | changed)


def _write(folder: Path, **more: Any) -> Trials:
    write_arrays(folder / WHERE / "pictures.npz", ARRAYS | more)
    return Trials(folder, PARAMS)


ALL = (
    _panel("digits"),
    _panel("kept", scale="share"),
    _panel("change", scale="diverging"),
    _panel("photos"),
    _panel("digits", trials="minima/absent"),
)


@pytest.fixture
def trials(tmp_path: Path) -> Trials:
    return _write(tmp_path)


def _canvas(figure: Figure, trials: Trials) -> Any:
    canvas = drawing(figure, trials, {}).canvas
    assert canvas is not None
    return canvas


def _embedded(svg: str) -> list[Any]:
    found = re.findall(r'base64,\s*([^"]+)"', svg)
    return [matplotlib.image.imread(io.BytesIO(base64.b64decode(text))) for text in found]


def test_a_sheet_holds_every_image_as_it_is_and_gaps_between_and_around_them() -> None:
    images = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    laid = sheet(images, 1)
    assert laid.shape == (2 * 5 + 1, 3 * 6 + 1)
    for row in range(2):
        for column in range(3):
            top, left = 1 + 5 * row, 1 + 6 * column
            assert np.array_equal(laid[top : top + 4, left : left + 5], images[row, column])
    assert np.isnan(laid).sum() == laid.size - images.size
    colour = sheet(ARRAYS["photos"], 2)
    assert colour.shape == (2 * 18 + 2, 3 * 18 + 2, 3)
    assert np.array_equal(colour[2:18, 2:18], ARRAYS["photos"][0, 0])
    assert set(colour[:2].ravel()) == {BETWEEN}


def test_every_panel_among_the_params_is_one_image_and_others_are_left_out(trials: Trials) -> None:
    canvas = _canvas(_figure(*ALL), trials)
    grids = [axes for axes in canvas.axes if axes.get_title(loc="left")]
    assert [axes.get_title(loc="left") for axes in grids] == ["digits", "kept", "change", "photos"]
    assert [len(axes.images) for axes in grids] == [1, 1, 1, 1]
    assert len(canvas.axes) - len(grids) == 2  # colour bars


@pytest.mark.parametrize(
    ("shape", "abreast", "high"), [((11, 1, 1, 40), 3, 0.15), ((1, 1, 40, 300), 2, 0.4), ((3, 8, 28, 28), 2, 0.35)]
)
def test_panels_stand_abreast_as_long_as_an_image_is_large_enough_to_see(
    shape: tuple[int, ...], abreast: int, high: float, tmp_path: Path
) -> None:
    trials = _write(tmp_path, a=np.linspace(-1, 1, int(np.prod(shape))).reshape(shape), a_rows=["mean"] * shape[0])
    canvas = _canvas(_figure(*[_panel("a", scale="diverging", title=f"p{k}") for k in range(3)]), trials)
    grids = [axes for axes in canvas.axes if axes.get_title(loc="left")]
    places = [axes.get_position().y1 for axes in grids]
    assert sum(place == pytest.approx(places[0]) for place in places) == abreast
    assert canvas.get_size_inches()[0] < 10
    for axes in grids:
        assert axes.get_position().height * canvas.get_size_inches()[1] / shape[0] >= high
    canvas.draw_without_rendering()
    boxes = [text.get_window_extent() for text in grids[0].get_yticklabels()]
    assert all(above.y0 > below.y1 for above, below in pairwise(boxes))


def test_a_figure_without_a_panel_among_the_params_is_not_drawn_and_reads_no_file(tmp_path: Path) -> None:
    found = drawing(_figure(_panel("digits", trials="minima/absent")), Trials(tmp_path, PARAMS), {})
    assert found == (None, None, ())


def test_labels_stand_at_the_middle_of_their_rows_and_columns(trials: Trials) -> None:
    axes = _canvas(_figure(_panel("digits"), xlabel="pruning round", ylabel="class"), trials).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ARRAYS["digits_rows"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ARRAYS["digits_columns"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("pruning round", "class")
    shown = axes.images[0].get_array()
    down, along = axes.get_yticks()[3], axes.get_xticks()[5]
    image = shown[round(down - 13.5) : round(down + 14.5), round(along - 13.5) : round(along + 14.5)]
    assert np.array_equal(image, ARRAYS["digits"][3, 5])


def test_no_label_and_no_title_leaves_the_canvas(trials: Trials, tmp_path: Path) -> None:
    for columns in ([f"round {place}" for place in range(8)], ["unconstitutional"] * 8):
        trials = _write(tmp_path, digits_columns=columns)
        canvas = _canvas(_figure(*ALL, xlabel="x", ylabel="y"), trials)
        canvas.draw_without_rendering()
        for axes in canvas.axes:
            box = axes.get_tightbbox()
            assert box.x0 >= 0
            assert box.y0 >= 0
            assert box.x1 <= canvas.bbox.x1
            assert box.y1 <= canvas.bbox.y1


@pytest.mark.parametrize(
    ("name", "scale", "limits"),
    [("digits", None, (0, 255)), ("digits", "share", (0, 1)), ("kept", "share", (0, 1)), ("kept", "grey", (0, 1)),
     ("change", "diverging", (-0.75, 0.75)), ("low", "share", (0, 0.25)), ("many", "share", (0, 4)),
     ("zero", "diverging", (-1, 1)), ("zero", "share", (0, 1))],
)  # fmt: skip
def test_the_ends_of_a_scale_follow_from_its_kind(
    name: str, scale: str | None, limits: tuple[float, float], tmp_path: Path
) -> None:
    kept = ARRAYS["kept"] / ARRAYS["kept"].max()
    trials = _write(tmp_path, low=kept / 4, many=kept * 4, zero=kept * 0)
    image = _canvas(_figure(_panel(name, **({"scale": scale} if scale else {}))), trials).axes[0].images[0]
    assert image.get_clim() == pytest.approx(limits, abs=1e-2)
    assert image.get_interpolation() == "none"


def test_a_grey_picture_reaches_the_svg_pixel_for_pixel_and_unsmoothed(trials: Trials, tmp_path: Path) -> None:
    path = tmp_path / "f.svg"
    write_svg(path, _canvas(_figure(_panel("digits")), trials))
    (png,) = _embedded(path.read_text())
    pixels = np.round(255 * png[..., 0]).astype(int)
    gap = 2
    apart = pixels[gap : gap + 28, gap : gap + 28] - ARRAYS["digits"][0, 0]
    assert np.abs(apart).max() <= 1  # matplotlib rounds greys down
    assert "image-rendering:pixelated" in path.read_text()
    assert path.stat().st_size < 300_000


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.unit.test_report_pictures import ALL, PARAMS, Trials, _figure, drawing, write_svg
write_svg(Path(sys.argv[3]), drawing(_figure(*ALL), Trials(Path(sys.argv[2]), PARAMS), {}).canvas)
"""


def test_the_same_arrays_give_the_same_bytes_twice_over_and_in_two_processes(trials: Trials, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_svg(tmp_path / f"{name}.svg", _canvas(_figure(*ALL), trials))
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    for name in ("three", "four"):  # in processes of their own, as a stage is: here other tests have drawn before
        script = [sys.executable, "-c", SCRIPT, str(ROOT), str(tmp_path), str(tmp_path / f"{name}.svg")]
        subprocess.run(script, check=True)
    assert (tmp_path / "three.svg").read_bytes() == (tmp_path / "four.svg").read_bytes()


@pytest.mark.parametrize(
    ("more", "panel", "complaint"),
    [
        ({}, _panel("digit"), "no array 'digit'; did you mean 'digits'?"),
        ({"flat": NOISE[0]}, _panel("flat"), "'flat' has the shape [8, 28, 28] and holds float64; images have [row, "),
        ({"four": NOISE[..., None].repeat(4, axis=4)}, _panel("four"), "'four' has the shape [10, 8, 28, 28, 4]"),
        ({"none": NOISE[:0]}, _panel("none"), "'none' has the shape [0, 8, 28, 28] and holds float64; there is nothin"),
        ({"whole": NOISE.astype(int)}, _panel("whole"), "holds int64; images hold uint8 or floats"),
        ({"nan": NOISE * np.nan}, _panel("nan"), "some of it not finite"),
        ({}, _panel("change", scale="share"), "some of it below 0, which is no share"),
        ({}, _panel("photos", scale="share"), "images in colour have no scale 'share'"),
        ({"digits_rows": ["a", "b"]}, _panel("digits"), "'digits_rows' has the shape [2] and holds <U1; 10 strings"),
        ({"digits_columns": np.arange(8)}, _panel("digits"), "'digits_columns' has the shape [8] and holds int64; 8 s"),
    ],
)
def test_an_array_that_cannot_be_drawn_is_named(
    more: dict[str, Any], panel: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=f"^{FILE}.*{re.escape(complaint)}"):
        drawing(_figure(panel), _write(tmp_path, **more), {})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"minima/mnist1d/pictures\.npz: file is missing"):
        drawing(_figure(_panel("digits")), Trials(tmp_path, PARAMS), {})


@pytest.mark.parametrize(
    ("panel", "changed", "complaint"),
    [
        (_panel("a"), {"kind": "imags"}, "unknown kind; did you mean 'images'?"),
        (_panel("a", scale="gray"), {}, "unknown scale 'gray'; known: grey, share, diverging"),
        ({"title": "p", "trials": WHERE}, {}, "panel 'p' of images needs picture, the name of an array"),
        (_panel("a", trials="minima/*"), {}, "trials 'minima/*' must be one STAGE/KEY"),
        (_panel("a", metric="error"), {}, "panel 'a' of images has no metric; remove it"),
        (_panel("a"), {"log": True}, "images have no log; remove it"),
        (_panel("a", metric="e", arms={"a": "b"}), {"kind": "curves", "ylabel": "y"}, "curves need an xlabel"),
        (_panel("a", metric="e", arms={"a": "b"}), {"kind": "curves", "xlabel": "", "ylabel": ""}, "of curves has no "),
    ],
)
def test_a_picture_that_cannot_be_meant_is_refused(
    panel: dict[str, Any], changed: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=re.escape(complaint)):
        _figure(panel, **changed)


def test_the_page_names_the_files_of_pictures_and_the_tables_of_other_figures(trials: Trials, tmp_path: Path) -> None:
    plain = {"name": "g", "kind": "curves", "title": "t", "caption": "c", "xlabel": "x", "ylabel": "y"}
    plain["panels"] = [{"title": "p", "trials": WHERE, "metric": "m", "arms": {"a": "b"}}]  # type: ignore[assignment]
    figure = _figure(*ALL)
    study = {"title": "t", "question": "q", "method": "m", "figures": [figure.model_dump(exclude_unset=True), plain]}
    plan = Plan.model_validate({"headlines": {}, "studies": {"s": study}})
    canvas, table, files = drawing(figure, trials, {})
    assert canvas is not None
    assert table is None
    write_svg(tmp_path / "f.svg", canvas)
    svg = (tmp_path / "f.svg").read_text()
    html = page(plan, [], {"f": svg, "g": "<svg></svg>"}, {}, {"f": files})
    assert "Where it comes from: data/minima/mnist1d/pictures.npz, drawn as" in html
    assert ">reports/plots/g.csv</a>" in html
    assert "reports/plots/f.csv" not in html
    assert {link.removesuffix(".svg") for link in leads_out(html)} == {"figures/f", "figures/g", "plots/g.csv"}
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(set(ids)) == len(ids)


def test_every_kind_that_studies_yaml_names_is_one_of_the_table() -> None:
    assert set(KINDS) >= {"curves", "pairs", "images"}
    assert {figure.kind for study in PLAN.studies.values() for figure in study.figures} <= set(KINDS)


@pytest.mark.parametrize(
    ("study", "name"),
    [("ensembles", "error-by-members"), ("ensembles", "out-of-bag"), ("batch-size", "interpolation")],
)
def test_figures_of_other_kinds_are_those_in_the_repository_to_the_byte(study: str, name: str, tmp_path: Path) -> None:
    figures, colours = PLAN.studies[study].figures, PLAN.studies[study].colours
    figure = next(figure for figure in figures if figure.name == name)
    old, numbers = ROOT / f"reports/figures/{name}.svg", ROOT / f"reports/plots/{name}.csv"
    if not old.is_file() or not numbers.is_file():
        pytest.skip("no figure to compare with; `dvc repro` draws it")
    try:
        canvas, table, _ = drawing(figure, Trials(ROOT / "data", PARAMS), styles(figures, colours))
    except InputError:
        pytest.skip("the trials of these params are not here; `dvc repro` makes them")
    assert canvas is not None
    assert table is not None
    if table.to_csv(index=False, lineterminator="\n") != numbers.read_text():
        pytest.skip("the trials here are not those that the figure was drawn from")
    write_svg(tmp_path / "new.svg", canvas)
    assert (tmp_path / "new.svg").read_bytes() == old.read_bytes()
