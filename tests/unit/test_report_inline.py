"""Figures inside the page: text as text, nothing lost, references kept, colours that can be seen in the dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from matplotlib.figure import Figure as Canvas

from torchstone.core.files import write_svg
from torchstone.report.figures import PALETTE
from torchstone.report.inline import inlined, share_styles
from torchstone.report.theme import DARK, SHAPE, contrast, darkened, declarations


@pytest.fixture(scope="module")
def svg(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("svg") / "f.svg"
    canvas = Canvas(figsize=(4, 3))
    axes = canvas.subplots()
    axes.plot([0, 1, 2], [0, 1, 0], color="#0072B2", marker="o", label="a < b & c -- d")
    axes.plot([0, 1, 2], [1, 0, 1], color="black", label="black")
    axes.set_ylabel("up the side")
    axes.legend()
    write_svg(path, canvas)
    return path.read_text()


def test_a_figure_keeps_its_references_when_it_moves_into_the_page(svg: str) -> None:
    body = str(inlined(svg, "f", "A <title>"))
    assert 'aria-label="A &lt;title&gt;"' in body
    assert not re.search(r'<svg[^>]* (width|height)="', body)
    wanted = set(re.findall(r'(?:href="#|url\(#)([^")]+)', body))
    assert wanted
    assert wanted == set(re.findall(r' id="([^"]+)"', body))
    assert all(name.startswith("f-") for name in wanted)


def test_every_line_of_outlines_becomes_text_that_takes_the_same_room(svg: str) -> None:
    body = str(inlined(svg, "f", "t"))
    lines = re.findall(r"<!-- (.*?) -->", svg)
    texts = re.findall(r"<text([^>]*)>([^<]*)</text>", body)
    assert len(lines) == len(texts) > 10
    assert "<!--" not in body
    assert "DejaVu" not in body
    assert ("a &lt; b &amp; c -- d") in {text for _, text in texts}
    (turned,) = [place for place, text in texts if text == "up the side"]
    assert "rotate(-90)" in turned
    assert 40 < float(re.findall(r'textLength="([\d.]+)"', turned)[0]) < 70


def test_a_figure_in_the_page_is_small_and_the_same_each_time(svg: str) -> None:
    assert len(inlined(svg, "f", "t")) < 0.4 * len(svg)
    assert inlined(svg, "f", "t") == inlined(svg, "f", "t")
    assert not re.search(r"\d\.\d{3,}", str(inlined(svg, "f", "t")))


def test_colours_keep_their_names_when_numbers_are_rounded() -> None:
    line = '<path d="M 0.123456 1e-7 L 2 2" style="fill: none; stroke: #3e7ea8; stroke-width: 0.60001"/>'
    body = str(inlined(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{line}</svg>', "f", "t"))
    assert 'd="M0.12 0L2 2"' in body
    assert "3e7ea8" in body
    assert "stroke-width:0.6" in body


def test_lines_that_look_alike_become_one_and_translucent_or_filled_shapes_stay_apart() -> None:
    def joined(style: str) -> int:
        lines = "".join(f'<path d="M {k} 0 L {k} 9" style="{style}"/>' for k in range(4))
        body = inlined(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{lines}</svg>', "f", "t")
        return body.count("<path")

    assert joined("fill: none; stroke: #c4c4c4") == 1
    assert joined("fill: none; stroke: #c4c4c4; stroke-opacity: 0.5") == 4
    assert joined("fill: #c4c4c4") == 4


def test_styles_that_return_become_classes_and_none_is_lost(svg: str) -> None:
    plain = {"a": inlined(svg, "a", "t"), "b": inlined(svg, "b", "t")}
    shared, css = share_styles(plain)
    rules = dict(re.findall(r"\.(s\d+)\{(.*)\}", css))
    undone = {
        name: re.sub(r'class="(s\d+)"', lambda found: f'style="{rules[found[1]]}"', text)
        for name, text in shared.items()
    }
    assert undone == plain
    assert sum(map(len, shared.values())) + len(css) < sum(map(len, plain.values()))


@pytest.mark.parametrize("colour", sorted({*PALETTE.values(), "#333333", "#440154", "#313695"}))
def test_every_colour_of_a_curve_can_be_seen_in_the_dark(colour: str) -> None:
    dark = darkened(colour.lower())
    channels = [tuple(int(one[k : k + 2], 16) / 255 for k in (1, 3, 5)) for one in (dark, DARK)]
    assert contrast(*channels) >= SHAPE - 0.5  # type: ignore[arg-type]  # three channels each


def test_greys_are_turned_round_and_keep_their_order() -> None:
    assert darkened("#ffffff") == DARK
    assert darkened("#000000") > darkened("#333333") > darkened("#888888") > darkened("#e6e6e6") > DARK


def test_each_colour_that_the_dark_changes_is_declared_for_both_themes(svg: str) -> None:
    body = str(inlined(svg, "f", "t"))
    light, dark = declarations([body])
    names = set(re.findall(r"var\((--[0-9a-f]{6})\)", body))
    assert (
        {part.split(":")[0] for part in light.split(";")} == names == {part.split(":")[0] for part in dark.split(";")}
    )
    assert "--0072b2:#0072b2" in light


def test_the_files_of_the_figures_know_nothing_of_themes() -> None:
    for path in (Path(__file__).resolve().parents[2] / "reports/figures").glob("*.svg"):
        assert "var(--" not in path.read_text()
