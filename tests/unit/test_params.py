"""Laws of params.yaml: a typo is found before any work, named by file and key, with what would be right."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from torchstone.core.errors import InputError, near_miss
from torchstone.core.params import apply_preset, load_params, main, overlaid, read_yaml
from torchstone.core.schema import Params

ROOT = Path(__file__).parents[2]
TEXT = """\
# a comment at the top
shared:
  seed: 1                   # root of every stream
  device: auto
prepare:
  # about the rows
  waveform: {replicates: 2, train: 30, valid: 30, test: 50}
  digits: {replicates: 2, valid: 0.1, test: 0.25}   # real data
resample: {subsample80: 0.8, subsample63: 0.632}
ensemble:
  members: 5
  rounds: 4
  neighbours: 1
  hidden: [8]               # widths
  batch: 16
  learning_rate: 0.003
  cells:
    waveform:
      epochs: 2
      arms: {tree: [bagging], mlp: [deep]}
    digits:
      epochs: 2
      arms: {tree: [bagging]}
sweep:
  tasks:
    waveform:
      {replicates: 2, rows: 30, hidden: [4, 4], rule: sgd, momentum: 0.9, learning_rate: 0.05, rates: [0.2],
       reference: 6, ghost: 4, updates: 9, target: 0.02, patience: 5, most_updates: 60, most_epochs: 20,
       arms: [plain, tuned]}
  cells:
    waveform-b0024: {dataset: waveform, batch: 24}
    waveform-b0006: {dataset: waveform, batch: 6}
minima: {sizes: {waveform: [6, 24]}, eps: [0.001], dimensions: 7, probes: 2, alphas: [0.0, 0.5, 1.0],
         rescale: 10.0}
cost: {sizes: [1, 2, 4, 8], repeats: 3, seconds: 0.01}
recommend: {margins: {waveform: 0.01}}
judge: {alpha: 0.05, power: 0.8, draws: 999}
"""
# whose keys must all be there: the file, its sections but the rows of prepare, and one row of each kind
HOLDERS = [
    "", "shared", "resample", "ensemble", "sweep", "minima", "cost", "recommend", "judge", "prepare.waveform",
    "prepare.digits", "ensemble.cells.waveform", "sweep.tasks.waveform", "sweep.cells.waveform-b0006",
]  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "params.yaml"
    file.write_text(TEXT)
    return file


def complaint(path: Path, old: str, new: str) -> str:
    assert TEXT.count(old) == 1, old
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(InputError) as caught:
        load_params(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message.replace(f"{path}: ", "")


def test_the_file_of_the_project_is_valid() -> None:
    assert load_params(ROOT / "params.yaml").rows("prepare")


def test_rows_are_the_keys_of_the_file_in_its_order(path: Path) -> None:
    params = load_params(path)
    assert params.rows("prepare") == ["waveform", "digits"]
    assert params.rows("resample") == params.rows("ensemble") == ["waveform", "digits"]
    assert params.rows("sweep") == ["waveform-b0024", "waveform-b0006"]
    assert params.rows("minima") == params.rows("cost") == params.rows("recommend") == ["waveform"]
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
        ("margins:", "margin:", "recommend.margin: unknown key; did you mean 'margins'?"),
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


def inside(content: dict[str, Any], holder: str) -> dict[str, Any]:
    for name in filter(None, holder.split(".")):
        content = content[name]
    return content


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
    assert "line 13" in message


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


def test_a_cell_of_an_unknown_data_set_or_one_not_prepared_is_refused(path: Path) -> None:
    cell = "    digits:\n      epochs"
    unknown = complaint(path, cell, cell.replace("digits", "digist"))
    assert unknown == "ensemble.cells.digist: unknown data set; did you mean 'digits'?"
    absent = complaint(path, cell, cell.replace("digits", "diabetes"))
    assert absent == "ensemble.cells.diabetes: not prepared; add a row prepare.diabetes"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "    waveform:\n      {replicates",
            "    wavefrom:\n      {replicates",
            "sweep.tasks.wavefrom: unknown data set; did you mean 'waveform'?",
        ),
        (
            "    waveform:\n      {replicates",
            "    diabetes:\n      {replicates",
            "sweep.tasks.diabetes: not prepared; add a row prepare.diabetes",
        ),
        ("replicates: 2, rows", "replicates: 3, rows", "sweep.tasks.waveform.replicates = 3: prepare.waveform makes 2"),
        ("rows: 30", "rows: 31", "sweep.tasks.waveform.rows = 31: prepare.waveform makes 30 training rows"),
        ("[plain, tuned]", "[tuned]", "sweep.tasks.waveform.arms: add 'plain': the other arms are compared with it"),
        ("{waveform: 0.01}", "{digits: 0.01}", "recommend.margins: no row 'waveform'; every task needs one"),
    ],
)
def test_a_task_that_its_data_cannot_serve_is_refused(path: Path, old: str, new: str, expected: str) -> None:
    assert complaint(path, old, new) == expected


def test_a_task_of_a_finite_data_set_has_no_more_replicates_than_it_has_splits(path: Path) -> None:
    content = yaml.safe_load(TEXT)
    content["recommend"]["margins"]["digits"] = 0.002
    content["sweep"]["tasks"]["digits"] = content["sweep"]["tasks"]["waveform"] | {"rows": 1000}
    content["sweep"]["cells"]["digits-b0006"] = {"dataset": "digits", "batch": 6}
    content["minima"]["sizes"]["digits"] = [6]
    path.write_text(yaml.safe_dump(content))
    assert load_params(path).sweep.sizes("digits") == [6]
    content["sweep"]["tasks"]["digits"]["replicates"] = 3
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=r"sweep\.tasks\.digits\.replicates = 3: prepare\.digits makes 2$"):
        load_params(path)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "{dataset: waveform, batch: 24}",
            "{dataset: wavefrom, batch: 24}",
            "sweep.cells.waveform-b0024.dataset: no task 'wavefrom'; did you mean 'waveform'?",
        ),
        (
            "{dataset: waveform, batch: 24}",
            "{dataset: digits, batch: 24}",
            "sweep.cells.waveform-b0024.dataset: no task 'digits'; known: waveform",
        ),
        ("batch: 24", "batch: 31", "sweep.cells.waveform-b0024.batch = 31: sweep.tasks.waveform has 30 rows"),
        (
            "batch: 24",
            "batch: 25",
            "sweep.cells.waveform-b0024: call it 'waveform-b0025', after its data set and batch size",
        ),
        (
            "waveform-b0024:",
            "waveform-b24:",
            "sweep.cells.waveform-b24: call it 'waveform-b0024', after its data set and batch size",
        ),
        (
            "waveform-b0024:",
            "digits-b0024:",
            "sweep.cells.digits-b0024: call it 'waveform-b0024', after its data set and batch size",
        ),
        (
            "    waveform-b0006: {dataset: waveform, batch: 6}\n",
            "",
            "sweep.cells: add a row waveform-b0006: the other sizes are compared with the reference",
        ),
        (
            "reference: 6",
            "reference: 12",
            "sweep.cells: add a row waveform-b0012: the other sizes are compared with the reference",
        ),
        ("[6, 24]", "[6, 12, 24]", "minima.sizes.waveform: 12 is not trained; sweep.cells has [6, 24]"),
        ("[6, 24]", "[6]", "minima.sizes.waveform: add 24: reference and largest size are compared"),
        ("{waveform: [6, 24]}", "{}", "minima.sizes.waveform: add 6: reference and largest size are compared"),
    ],
)
def test_a_batch_size_that_its_task_or_its_name_contradicts_is_refused(
    path: Path, old: str, new: str, expected: str
) -> None:
    assert complaint(path, old, new) == expected


def test_the_whole_training_set_may_be_one_batch(path: Path) -> None:
    path.write_text(TEXT.replace("b0024", "b0030").replace("batch: 24", "batch: 30").replace("[6, 24]", "[6, 30]"))
    assert load_params(path).sweep.sizes("waveform") == [6, 30]


def test_a_near_miss_is_offered_only_where_there_is_one() -> None:
    assert near_miss("membres", ["members", "rounds"]) == "did you mean 'members'?"
    assert near_miss("zzz", ["b", "a"]) == "known: a, b"


# ---------------------------------------------------------------- presets


def test_an_overlay_merges_mappings_replaces_the_rest_and_null_removes_a_row() -> None:
    tree = {"a": {"b": 1, "c": {"d": 2, "e": [1, 2]}}, "f": 3}
    overlay = {"a": {"c": {"e": [3], "new": 0}, "b": None}, "f": {"now": "a mapping"}}
    assert overlaid(tree, overlay) == {"a": {"c": {"d": 2, "e": [3], "new": 0}}, "f": {"now": "a mapping"}}
    assert tree == {"a": {"b": 1, "c": {"d": 2, "e": [1, 2]}}, "f": 3}


def preset(path: Path, text: str) -> Path:
    file = path.with_name("smoke.yaml")
    file.write_text(text)
    return file


def test_a_preset_is_laid_over_the_file_and_its_comments_stay(path: Path) -> None:
    overlay = "ensemble: {members: 3, cells: {digits: null, waveform: {epochs: 1}}}\nprepare: {digits: null}\n"
    apply_preset(path, preset(path, overlay))
    before, after = yaml.safe_load(TEXT), read_yaml(path)
    before["ensemble"]["members"] = 3
    before["ensemble"]["cells"]["waveform"]["epochs"] = 1
    del before["ensemble"]["cells"]["digits"], before["prepare"]["digits"]
    assert after == before
    for comment in ("# a comment at the top", "# root of every stream", "# about the rows", "# widths"):
        assert comment in path.read_text()


def test_a_preset_laid_twice_changes_nothing_more(path: Path) -> None:
    file = preset(path, "ensemble: {members: 3, cells: {digits: null}}\nprepare: {digits: null}\n")
    apply_preset(path, file)
    once = path.read_bytes()
    apply_preset(path, file)
    assert path.read_bytes() == once


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ensemble: {membres: 3}", r"smoke\.yaml: ensemble\.membres: unknown key; did you mean 'members'\?"),
        ("ensemble: {members: 1}", r"smoke\.yaml: ensemble\.members = 1"),
        ("ensemble: {members: null}", r"smoke\.yaml: ensemble\.members: key is missing"),
        ("prepare: {waveform: null}", r"smoke\.yaml: ensemble\.cells\.waveform: not prepared"),
        ("- ensemble", r"smoke\.yaml: a mapping of sections is expected, this is list"),
        ("ensemble: {members: 1, members: 3}", r"smoke\.yaml: not valid YAML: key 'members' is given twice"),
    ],
)
def test_a_preset_that_is_wrong_is_refused_and_the_file_left_alone(path: Path, text: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        apply_preset(path, preset(path, text))
    assert path.read_text() == TEXT


def test_every_preset_of_the_project_fits_its_params(tmp_path: Path) -> None:
    for file in sorted((ROOT / "presets").glob("*.yaml")):
        copy = tmp_path / "params.yaml"
        copy.write_bytes((ROOT / "params.yaml").read_bytes())
        apply_preset(copy, file)
        load_params(copy)


# ---------------------------------------------------------------- the schema


def models(model: type[BaseModel] = Params) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for part in inner(field.annotation):
            yield from models(part)


def inner(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from inner(part)


def test_the_schema_has_no_default_but_the_absence_of_a_row_or_an_arm() -> None:
    seen = set(models())
    assert len(seen) > 8
    for model in seen:
        for name, field in model.model_fields.items():
            assert field.default is PydanticUndefined or field.default is None, f"{model.__name__}.{name}"
            assert field.default_factory is None, f"{model.__name__}.{name}"
            if field.default is None:
                assert model.__name__ in {"Prepare", "Arms"}, f"{model.__name__}.{name} has a default"
            assert not field.alias


def test_every_section_is_strict_and_frozen(path: Path) -> None:
    for model in models():
        assert model.model_config.get("strict"), model
        assert model.model_config.get("frozen"), model
        assert model.model_config.get("extra") == "forbid", model
    params = load_params(path)
    with pytest.raises(ValueError, match="frozen"):
        setattr(params.ensemble, "members", 7)  # noqa: B010  mypy refuses the plain assignment


def described(model: type[BaseModel], content: dict[str, Any], where: str) -> Iterator[tuple[str, str, FieldInfo]]:
    """Yield (dotted key, key, field) of every described field that the file gives."""
    for name, field in model.model_fields.items():
        if name not in content:
            continue
        key = f"{where}{name}"
        if field.description:
            yield key, name, field
        value = content[name]
        for part in inner(field.annotation):
            rows = value.values() if str(field.annotation).startswith("dict") else [value]
            for row in rows:
                if isinstance(row, dict):
                    yield from described(part, row, f"{key}.")


def test_every_key_is_commented_with_the_description_of_its_schema() -> None:
    text = (ROOT / "params.yaml").read_text()
    comments = [line.split("#", 1)[1].strip() for line in text.splitlines() if "#" in line]
    fields = list(described(Params, yaml.safe_load(text), ""))
    assert len(fields) > 20
    for key, name, field in fields:
        assert field.description is not None
        beside = re.search(rf"^ *{name}:[^#\n]*# {re.escape(field.description)}$", text, re.MULTILINE)
        above = any(
            name in match[1].split(", ")
            for comment in comments
            for match in re.finditer(rf"(?:^|; )([\w, ]+): {re.escape(field.description)}(?:;|$)", comment)
        )
        heading = re.search(rf"^ *# {re.escape(field.description)}\n *{name}:", text, re.MULTILINE)
        assert beside or above or heading, f"{key}: no comment '{field.description}'"


def test_every_plain_key_of_the_file_has_a_description() -> None:
    for model in models():
        for name, field in model.model_fields.items():
            if model.__name__ not in {"Params", "Prepare", "Arms"}:
                assert field.description, f"{model.__name__}.{name}"


def test_the_schema_is_exported_for_editors(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    assert main(["schema", "schema.json"]) == 0
    schema = json.loads(path.with_name("schema.json").read_text())
    assert set(schema["properties"]) == set(Params.model_fields)
    assert schema["additionalProperties"] is False
    members = schema["$defs"]["Ensemble"]["properties"]["members"]
    assert (members["minimum"], members["description"]) == (2, "models in an ensemble")


def test_the_command_line_checks_lays_presets_and_explains_itself(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(path.parent)
    assert main(["check"]) == 0
    preset(path, "ensemble: {members: 3}")
    assert main(["preset", "smoke.yaml"]) == 0
    assert load_params(path).ensemble.members == 3
    assert capsys.readouterr().err == ""
    assert main(["preset", "none.yaml"]) == 1
    assert "none.yaml: file is missing" in capsys.readouterr().err
    assert main([]) == 1
    assert "usage" in capsys.readouterr().err
    path.write_text(TEXT.replace("members", "membres"))
    assert main(["check"]) == 1
    assert "did you mean 'members'?" in capsys.readouterr().err
