"""The code that the documents show runs as it stands, and gives what they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_example_of_sharpness_on_an_ordinary_module_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/sharpness.md").read_text(), flags=re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    phi, converged, subspace = (float(number) for number in done.stdout.split())
    assert 0 < phi <= converged * (1 + 1e-9)
    assert subspace > 0
