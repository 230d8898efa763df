"""A page for `dvc plots show` that works offline: DVC's own page loads vega from a network."""

from __future__ import annotations

from pathlib import Path

import vl_convert

from torchstone.core.files import write_text

TEMPLATE = Path(".dvc/plots/offline.html")
EMBED = "window.vegaEmbed = vegaEmbed;"
PAGE = """<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<title>DVC plots</title>
<script>(() => {{ {script} }})();</script>
<style>body {{ font-family: system-ui, sans-serif; margin: 1.5rem; }}</style>
</head>
<body>
{{plot_divs}}
</body>
</html>
"""


def main() -> None:
    """Write the template with vega inlined; ``.dvc/config`` points dvc to it."""
    write_text(TEMPLATE, PAGE.format(script=vl_convert.javascript_bundle(EMBED).replace("</script", "<\\/script")))


if __name__ == "__main__":
    main()
