"""What a browser is asked about a page: each check returns what is wrong, so an empty list is a pass."""

from __future__ import annotations

from playwright.sync_api import Page

# WCAG 2 contrast of every piece of text, HTML and SVG, against the background that lies under it.
CONTRAST = """() => {
  const channels = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return text.startsWith("color(srgb") ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const over = (top, under) => top.slice(0, 3).map((c, k) => c * top[3] + under[k] * (1 - top[3]));
  const backgrounds = new Map();
  const background = (element) => {
    if (!element) return [255, 255, 255];
    if (!backgrounds.has(element)) {
      const own = channels(getComputedStyle(element).backgroundColor);
      backgrounds.set(element, own[3] === 1 ? own.slice(0, 3) : over(own, background(element.parentElement)));
    }
    return backgrounds.get(element);
  };
  const seen = new Map(), faults = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    const is_unseen = element.closest("script, style, noscript, option, title, defs");
    if (!node.data.trim() || is_unseen || seen.has(element)) continue;
    const style = getComputedStyle(element);
    const colour = channels(element.closest("svg") ? style.fill : style.color);
    const under = background(element);
    const [high, low] = [luminance(over(colour, under)), luminance(under)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    seen.set(element, ratio);
    if (ratio < (large ? 3 : 4.5)) faults.push(`${ratio.toFixed(2)}: ${node.data.trim().slice(0, 60)}`);
  }
  return [seen.size, faults];
}"""

# Which links of the page lead nowhere; what follows & in an address is the state of the filter.
DANGLING = """() => [...document.querySelectorAll("a[href^='#'], use[href^='#'], [clip-path]")]
  .map((one) => (one.getAttribute("href") || one.getAttribute("clip-path").slice(4, -1)).split("&")[0])
  .filter((place) => !document.getElementById(decodeURIComponent(place.slice(1))))"""

REACHABLE = """() => {
  const wanted = [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")]
    .filter((one) => one.checkVisibility());
  window.reached = new Map();
  document.addEventListener("focusin", (event) => {
    const style = getComputedStyle(event.target);
    window.reached.set(event.target, event.target.matches(":focus-visible") &&
      style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2);
  });
  window.wanted = wanted;
  return wanted.length;
}"""
REACHED = """() => window.wanted.filter((one) => !window.reached.get(one))
  .map((one) => `${window.reached.has(one) ? "focus unseen" : "not reached"}: ${one.outerHTML.slice(0, 90)}`)"""

UNNAMED = """() => [...document.querySelectorAll("figure svg, svg.strip, a, button, select, input, [role='region']")]
  .filter((one) => ![one.getAttribute("aria-label"), one.textContent, one.closest("label")?.textContent]
    .some((name) => name?.trim()))
  .map((one) => one.outerHTML.slice(0, 90))"""


def low_contrast(page: Page) -> tuple[int, list[str]]:
    """Return how many pieces of text were measured, and those that are too pale (or too dark)."""
    measured, faults = page.evaluate(CONTRAST)
    return int(measured), list(faults)


def dangling(page: Page) -> list[str]:
    """Return the places that the page links to and does not have."""
    return list(page.evaluate(DANGLING))


def unnamed(page: Page) -> list[str]:
    """Return the pictures and controls that a screen reader would have no name for."""
    return list(page.evaluate(UNNAMED))


def unreachable(page: Page) -> list[str]:
    """Return what the Tab key does not reach, or reaches without showing it."""
    wanted = page.evaluate(REACHABLE)
    for _ in range(wanted + 1):
        page.keyboard.press("Tab")
    return list(page.evaluate(REACHED))


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
