"""Write what code each stage depends on, so that a comment reruns nothing and an edit only what imports it."""

from pathlib import Path

from torchstone.core.files import write_json
from torchstone.core.fingerprint import fingerprint
from torchstone.core.stage import Stage, run


def main(stage: Stage) -> None:
    for path in sorted(Path("stages").glob("*.py")):
        if path.stem not in {"__init__", stage.name}:
            write_json(Path("metrics", stage.name, f"{path.stem}.json"), fingerprint(path.stem))


if __name__ == "__main__":
    run(main)
