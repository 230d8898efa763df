"""Laws of params.yaml: a typo is found before any work, named by file and key, with what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.unit.params_text import HOLDERS, ROOT, TEXT, complaint, inside
from torchstone.core.errors import InputError, near_miss
from torchstone.core.params import load_params


def test_the_file_of_the_project_is_valid() -> None:
    assert load_params(ROOT / "params.yaml").rows("prepare")


def test_rows_are_the_keys_of_the_file_in_its_order(path: Path) -> None:
    params = load_params(path)
    assert params.rows("prepare") == ["waveform", "digits"]
    assert params.rows("resample") == params.rows("ensemble") == ["waveform", "digits"]
    assert params.rows("sweep") == ["waveform-b0024", "waveform-b0006"]
    assert params.rows("minima") == params.rows("cost") == params.rows("recommend") == ["waveform"]
    assert params.rows("prune") == ["r00", "r01", "r02"]
    assert params.rows("control") == ["r00", "r02"]
    assert params.rows("start") == params.rows("depth") == params.rows("exact") == ["all"]
    assert params.rows("primer") == params.rows("speed") == ["all"]
    assert params.rows("judge") == []


def test_the_batch_sizes_of_a_task_rise_and_are_its_own(path: Path) -> None:
    params = load_params(path)
    assert params.sweep.sizes("waveform") == [6, 24]
    assert params.sweep.sizes("digits") == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("members:", "membres:", "ensemble.membres: unknown key; did you mean 'members'?"),
        ("resample:", "resampel:", "resampel: unknown key; did you mean 'resample'?"),
        ("train: 30", "trian: 30", "prepare.waveform.trian: unknown key; did you mean 'train'?"),
        (
            "      epochs: 2\n      arms: {tree: [bagging], mlp",
            "      epoch: 2\n      arms: {tree: [bagging], mlp",
            "ensemble.cells.waveform.epoch: unknown key; did you mean 'epochs'?",
        ),
        ("mlp: [deep]", "mpl: [deep]", "ensemble.cells.waveform.arms.mpl: unknown key; did you mean 'mlp'?"),
        ("device: auto", "device: auto\n  zzz: 1", "shared.zzz: unknown key; known: device, seed"),
        ("most_epochs:", "most_epoch:", "sweep.tasks.waveform.most_epoch: unknown key; did you mean 'most_epochs'?"),
        ("updates: 9", "udpates: 9", "sweep.tasks.waveform.udpates: unknown key; did you mean 'updates'?"),
        ("batch: 24", "bacth: 24", "sweep.cells.waveform-b0024.bacth: unknown key; did you mean 'batch'?"),
        ("probes: 2", "prodes: 2", "minima.prodes: unknown key; did you mean 'probes'?"),
        ("points: 5", "point: 5", "control.point: unknown key; did you mean 'points'?"),
        ("after: r00", "afer: r00", "prune.rounds.r01.afer: unknown key; did you mean 'after'?"),
        ("rewind: 7", "rewnid: 7", "prune.tasks.waveform.rewnid: unknown key; did you mean 'rewind'?"),
        ("depth: {margins:", "depth: {margin:", "depth.margin: unknown key; did you mean 'margins'?"),
        ("recommend: {margins:", "recommend: {margin:", "recommend.margin: unknown key; did you mean 'margins'?"),
    ],
)
def test_a_mistyped_key_is_named_with_the_key_that_was_meant(path: Path, old: str, new: str, expected: str) -> None:
    assert expected in complaint(path, old, new).splitlines()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("members: 5", "members: five", "ensemble.members = 'five': "),
        ("members: 5", "members: 5.0", "ensemble.members = 5.0: "),
        ("members: 5", "members: '5'", "ensemble.members = '5': "),
        ("seed: 1 ", "seed: true ", "shared.seed = True: "),
        ("hidden: [8]", "hidden: 8", "ensemble.hidden = 8: "),
        ("learning_rate: 0.003", "learning_rate: 3e-3", "ensemble.learning_rate = '3e-3': "),
        ("members: 5", "members: 1", "ensemble.members = 1: Input should be greater than or equal to 2"),
        ("hidden: [8]", "hidden: []", "ensemble.hidden = []: "),
        ("hidden: [8]", "hidden: [8, 0]", "ensemble.hidden.1 = 0: "),
        ("seed: 1 ", "seed: -1 ", "shared.seed = -1: "),
        ("learning_rate: 0.003", "learning_rate: 0.0", "ensemble.learning_rate = 0.0: "),
        ("learning_rate: 0.003", "learning_rate: .inf", "ensemble.learning_rate = inf: "),
        ("learning_rate: 0.003", "learning_rate: .nan", "ensemble.learning_rate = nan: "),
        ("device: auto", "device: gpu", "shared.device = 'gpu': Input should be 'auto', 'cpu', 'cuda' or 'mps'"),
        ("mlp: [deep]", "mlp: [depp]", "ensemble.cells.waveform.arms.mlp.0 = 'depp': "),
        ("valid: 0.1, test: 0.25", "valid: 0.5, test: 0.5", "leaves under a tenth to train on"),
        ("waveform: {replicates: 2, train: 30, valid: 30, test: 50}", "waveform: 3", "prepare.waveform = 3: "),
        ("momentum: 0.9", "momentum: 1.0", "sweep.tasks.waveform.momentum = 1.0: "),
        ("ghost: 4", "ghost: 1", "sweep.tasks.waveform.ghost = 1: "),
        ("target: 0.02", "target: 0.0", "sweep.tasks.waveform.target = 0.0: "),
        ("replicates: 2, rows", "replicates: 1, rows", "sweep.tasks.waveform.replicates = 1: "),
        ("rule: sgd", "rule: sdg", "sweep.tasks.waveform.rule = 'sdg': Input should be 'sgd' or 'adam'"),
        ("rates: [0.2]", "rates: []", "sweep.tasks.waveform.rates = []: "),
        ("rates: [0.2]", "rates: [0.2, 0.0]", "sweep.tasks.waveform.rates.1 = 0.0: "),
        ("[plain, tuned]", "[plain, tunde]", "sweep.tasks.waveform.arms.1 = 'tunde': "),
        ("batch: 6}", "batch: 1}", "sweep.cells.waveform-b0006.batch = 1: Input should be greater than or equal to 2"),
        ("eps: [0.001]", "eps: [1.0]", "minima.eps.0 = 1.0: "),
        ("alphas: [0.0, 0.5, 1.0]", "alphas: [0.0, 1.0]", "minima.alphas = [0.0, 1.0]: "),
        ("reference: 6", "reference: 16", "sweep.tasks.waveform.reference = 16: more than half of its 30 rows"),
        ("sizes: [1, 2, 4, 8]", "sizes: [1, 2, 4]", "cost.sizes = [1, 2, 4]: "),
        ("repeats: 3", "repeats: 1", "cost.repeats = 1: "),
        ("{waveform: 0.01}", "{waveform: 0.0}", "recommend.margins.waveform = 0.0: "),
        ("scope: layer", "scope: layers", "prune.scope = 'layers': Input should be 'layer' or 'all'"),
        ("rate: 0.25", "rate: 1.0", "prune.rate = 1.0: "),
        ("output_rate: 0.125", "output_rate: 0.0", "prune.output_rate = 0.0: "),
        ("glorot_normal", "glorot", "prune.tasks.waveform.init = 'glorot': Input should be 'glorot_normal', "),
        ("replicates: 2, hidden", "replicates: 1, hidden", "prune.tasks.waveform.replicates = 1: "),
        ("window: 3", "window: 0", "prune.tasks.waveform.window = 0: "),
        ("rewind: 7", "rewind: 0", "prune.tasks.waveform.rewind = 0: "),
        ("accuracy: 0.5", "accuracy: 50.0", "prune.tasks.waveform.accuracy = 50.0: "),
        ("shape: [1, 21]", "shape: [21]", "prune.tasks.waveform.shape = [21]: "),
        ("[twin, reinit]", "[twin, reiint]", "control.arms.1 = 'reiint': "),
        ("points: 5", "points: 2", "control.points = 2: "),
        ("{waveform: 0.02}", "{waveform: 0.0}", "depth.margins.waveform = 0.0: "),
    ],
)
def test_a_wrong_type_or_range_is_named_with_key_and_value(path: Path, old: str, new: str, expected: str) -> None:
    assert expected in complaint(path, old, new)


def test_a_missing_key_is_named(path: Path) -> None:
    assert complaint(path, "  batch: 16\n", "") == "ensemble.batch: key is missing; add it"
    assert complaint(path, "judge: {alpha: 0.05, power: 0.8, draws: 999}\n", "") == "judge: key is missing; add it"


@pytest.mark.parametrize("holder", HOLDERS)
def test_no_section_and_no_key_may_be_missing(path: Path, holder: str) -> None:
    for key in inside(yaml.safe_load(TEXT), holder):
        content = yaml.safe_load(TEXT)
        del inside(content, holder)[key]
        path.write_text(yaml.safe_dump(content))
        with pytest.raises(InputError) as caught:
            load_params(path)
        assert str(caught.value) == f"{path}: {f'{holder}.{key}'.removeprefix('.')}: key is missing; add it"


def test_every_mistake_of_a_file_is_told_at_once(path: Path) -> None:
    path.write_text(TEXT.replace("members: 5", "members: 0").replace("rounds: 4", "ronds: 4"))
    with pytest.raises(InputError) as caught:
        load_params(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert all(line.startswith(str(path)) for line in lines)
    assert [name in str(caught.value) for name in ("members", "rounds", "ronds")] == [True] * 3


def test_a_key_given_twice_is_refused_with_its_line(path: Path) -> None:
    message = complaint(path, "  rounds: 4\n", "  rounds: 4\n  members: 6\n")
    assert "key 'members' is given twice" in message
    assert "line 15" in message


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("hidden: [8]", "hidden: [8", "not valid YAML"),
        ("hidden: [8]", "hidden: {[8]: 1}", "not valid YAML"),
        ("hidden: [8]", "hidden: {{size}}", "not valid YAML"),
        ("hidden: [8]", "hidden: !!python/object/apply:os.getcwd []", "not valid YAML"),
    ],
)
def test_broken_yaml_and_object_tags_are_refused(path: Path, old: str, new: str, expected: str) -> None:
    assert expected in complaint(path, old, new)


@pytest.mark.parametrize(("text", "kind"), [("", "NoneType"), ("- a\n- b\n", "list"), ("just words", "str")])
def test_a_file_that_is_no_mapping_is_refused(path: Path, text: str, kind: str) -> None:
    path.write_text(text)
    with pytest.raises(InputError, match=f"a mapping of sections is expected, this is {kind}"):
        load_params(path)


def test_a_missing_or_undecodable_file_is_named(path: Path) -> None:
    path.write_bytes(b"shared: \xff\xfe")
    with pytest.raises(InputError, match=r"params\.yaml: not valid YAML"):
        load_params(path)
    path.unlink()
    with pytest.raises(InputError, match=r"params\.yaml: file is missing; restore it with `git checkout`"):
        load_params(path)


def test_a_near_miss_is_offered_only_where_there_is_one() -> None:
    assert near_miss("membres", ["members", "rounds"]) == "did you mean 'members'?"
    assert near_miss("zzz", ["b", "a"]) == "known: a, b"
