"""Draw or split one data set for every replicate; training, validation and test rows go to separate files."""

from torchstone.core.files import write_arrays
from torchstone.core.stage import Stage, run
from torchstone.data.sources import prepare


def main(stage: Stage) -> None:
    params = stage.params
    row = getattr(params.prepare, stage.key)
    prepared = prepare(stage.key, row, params.shared.seed)
    for name in ("train", "valid", "test"):
        split = getattr(prepared, name)
        write_arrays(stage.output(f"{name}.npz"), {"x": split.x, "y": split.y, "classes": prepared.classes})


if __name__ == "__main__":
    run(main, keys=lambda params: params.rows("prepare"))
