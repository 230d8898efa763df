"""A figure's SVG made ready for the page: text as text, short numbers, no repetitions, colours that follow the theme.

The files in reports/figures stay as they are, letters as outlines, so that they look the same in any program. Inside
the page letters would cost most of its weight, and nobody could search or select them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from xml.etree import ElementTree as Tree

from markupsafe import Markup
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from torchstone.report.theme import themed

SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
SCALE = 1.3  # CSS pixels for a point of a figure, at most
DIGITS = 2  # after the decimal point: a hundredth of a point is far below what a screen shows
SHORTEST = 3  # letters; a shorter text needs no stated width
MOVED = {"d", "x", "y", "transform", "points", "width", "height", "x1", "x2", "y1", "y2"}
NUMBER = re.compile(r"(?<![#\w.])-?\d+(?:\.\d+)?(?:e[-+]?\d+)?\b")
LETTERS = re.compile(r"translate\(([-\d.]+) ([-\d.]+)\)(?: rotate\(([-\d.]+)\))? scale\(([\d.]+) -[\d.]+\)")
STYLE = re.compile(r'style="([^"]*)"')
OFTEN = 3  # a style that is used so often becomes a class
COLOUR = re.compile(r"#[0-9a-f]{6}\b")
DEFAULTS = {"stroke-linejoin: miter", "stroke-width: 1", "opacity: 1", "stroke-linecap: butt"}


def inlined(svg: str, name: str, title: str) -> Markup:
    """Return an SVG for use inside the page: small, ids made the figure's own, named for screen readers.

    It may grow with the page up to a width that keeps the letters of all figures about equally large.
    """
    builder = Tree.TreeBuilder(insert_comments=True)
    root = Tree.fromstring(svg, Tree.XMLParser(target=builder))
    _spell(root)
    for part in list(root):
        if part.tag == f"{SVG}metadata":
            root.remove(part)
    for node in root.iter():
        _shorten(node)
    _rename(root, name)
    _flatten(root)
    view = root.get("viewBox", "0 0 0 0").split()
    root.attrib.clear()
    root.attrib |= {
        "viewBox": " ".join(view), "role": "img", "aria-label": title,
        "style": f"max-width:{float(view[2]) * SCALE:.0f}px;fill:{themed('#000000')}",  # what has no colour is black
    }  # fmt: skip
    return Markup(_written(root))


def _spell(root: Tree.Element) -> None:
    """Put text in the place of outlines: matplotlib names each line of letters in a comment before them."""
    for parent in list(root.iter()):
        comment = None
        for child in list(parent):
            if not isinstance(child.tag, str):  # only a comment has another kind of tag
                comment = child
            elif comment is not None and child.tag == f"{SVG}g":
                letters = _text(child, str(comment.text or "").strip())
                if letters is not None:
                    parent[list(parent).index(child)] = letters
                parent.remove(comment)
                comment = None


def _text(group: Tree.Element, words: str) -> Tree.Element | None:
    """Return a text element for a group of outlines; None if it is not one line of plain letters."""
    found = LETTERS.fullmatch(group.get("transform", ""))
    if found is None or not words:
        return None
    x, y, turn, scale = found.groups()
    size = float(scale) * 100
    words = words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").replace("- -", "--")
    text = Tree.Element(f"{SVG}text")
    place = {"x": x, "y": y} if turn is None else {"transform": f"translate({x} {y}) rotate({turn})"}
    text.attrib |= place | {"font-size": f"{size:g}"}
    if len(words) > SHORTEST:
        text.set("textLength", f"{_width(words, size):.1f}")  # another font then takes the same room
    colour = COLOUR.search(group.get("style", ""))
    if colour:
        text.set("style", f"fill: {colour[0]}")
    text.text = words
    return text


@cache
def _width(words: str, size: float) -> float:
    """Return how wide a line is in the font that the figures are laid out for."""
    width, _, _ = TextToPath().get_text_width_height_descent(words, FontProperties(size=size), ismath=False)
    return float(width)


def _shorten(node: Tree.Element) -> None:
    """Round numbers, leave out what is the default, and let colours follow the theme."""
    for key in MOVED & set(node.attrib):
        node.set(key, _rounded(node.attrib[key]))
    if "d" in node.attrib:
        node.set("d", re.sub(r"\s*([A-Za-z])\s*", r"\1", node.attrib["d"]).strip())
    style = [part.strip() for part in node.attrib.pop("style", "").split(";")]
    kept = [_rounded(part).replace(": ", ":") for part in style if part and part not in DEFAULTS]
    if kept:
        node.set("style", COLOUR.sub(lambda colour: themed(colour[0]), ";".join(kept)))
    node.text = node.text if node.tag == f"{SVG}text" else None
    node.tail = None


def _rounded(text: str) -> str:
    """Round every number in a text, and drop the zeros that say nothing."""
    return NUMBER.sub(lambda found: f"{round(float(found[0]), DIGITS) + 0.0:.10g}", text)


def _rename(root: Tree.Element, name: str) -> None:
    """Number the ids that something refers to, under the figure's name, and drop all others."""
    texts = [value for node in root.iter() for value in node.attrib.values()]
    wanted = {found for text in texts for found in re.findall(r"^#(.+)|url\(#([^)]+)\)", text)}
    numbers = {
        identifier: f"{name}-{place}"
        for place, identifier in enumerate(dict.fromkeys(_identifiers(root, {a or b for a, b in wanted})))
    }
    for node in root.iter():
        identifier = node.attrib.pop("id", None)
        if identifier in numbers:
            node.set("id", numbers[identifier])
        link = node.attrib.pop(f"{XLINK}href", None)
        if link is not None:
            node.set("href", f"#{numbers[link[1:]]}" if link[1:] in numbers else link)
        if "clip-path" in node.attrib:
            node.set("clip-path", f"url(#{numbers[node.attrib['clip-path'][5:-1]]})")


def _identifiers(root: Tree.Element, wanted: set[str]) -> list[str]:
    return [node.attrib["id"] for node in root.iter() if node.get("id") in wanted]


def _flatten(node: Tree.Element) -> None:
    """Take away groups that say nothing, and let neighbours that look alike share one path or one style."""
    children: list[Tree.Element] = []
    for child in list(node):
        _flatten(child)
        if child.tag == f"{SVG}g" and not child.attrib:
            children += list(child)
        elif not _says_nothing(child):
            children.append(child)
    node[:] = _joined(children)
    _share_style(node)


def _says_nothing(node: Tree.Element) -> bool:
    is_empty = node.tag in {f"{SVG}g", f"{SVG}defs"} and not len(node)
    return is_empty or (node.tag == f"{SVG}path" and not node.get("d"))


def _joined(children: list[Tree.Element]) -> list[Tree.Element]:
    """Join lines that follow each other and look alike; filled or translucent ones would look different together."""
    kept: list[Tree.Element] = []
    for child in children:
        before = kept[-1] if kept else None
        style = child.get("style", "")
        is_line = child.tag == f"{SVG}path" and "fill:none" in style and "opacity" not in style
        if is_line and before is not None and before.tag == child.tag and _looks(before) == _looks(child):
            before.set("d", before.attrib["d"] + child.attrib["d"])
        else:
            kept.append(child)
    return kept


def _looks(node: Tree.Element) -> dict[str, str]:
    return {key: value for key, value in node.attrib.items() if key != "d"}


def _share_style(node: Tree.Element) -> None:
    """Give a group the style that all its children have; opacity is not inherited and stays where it is."""
    styles = {child.get("style") for child in node}
    if node.tag != f"{SVG}g" or node.get("style") or len(styles) != 1 or len(node) < 2:
        return
    style = styles.pop()
    if style and not re.search(r"(?:^|;)opacity", style):
        node.set("style", style)
        for child in node:
            del child.attrib["style"]


def _written(root: Tree.Element) -> str:
    """Return the element as text without the names of its namespaces, which HTML knows."""
    for node in root.iter():
        node.tag = node.tag.removeprefix(SVG)
    return Tree.tostring(root, encoding="unicode", short_empty_elements=True)


def share_styles(figures: Mapping[str, str]) -> tuple[dict[str, Markup], str]:
    """Return the figures of a page with a class in the place of each style that returns, and the CSS of the classes."""
    counts = Counter(style for svg in figures.values() for style in STYLE.findall(svg))
    often = [style for style, count in counts.items() if count >= OFTEN and "max-width" not in style]
    names = {style: f"s{place}" for place, style in enumerate(often)}

    def named(found: re.Match[str]) -> str:
        return f'class="{names[found[1]]}"' if found[1] in names else found[0]

    return {name: Markup(STYLE.sub(named, svg)) for name, svg in figures.items()}, "\n".join(
        f".{name}{{{style}}}" for style, name in names.items()
    )
