"""Laws of presets, of the schema, and of the comments that repeat it."""

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

from tests.unit.params_text import ROOT, TEXT
from torchstone.core.errors import InputError
from torchstone.core.params import apply_preset, load_params, main, overlaid, read_yaml
from torchstone.core.schema import Params

# ---------------------------------------------------------------- presets


def test_an_overlay_merges_mappings_replaces_the_rest_and_null_removes_a_row() -> None:
    tree = {"a": {"b": 1, "c": {"d": 2, "e": [1, 2]}}, "f": 3}
    overlay = {"a": {"c": {"e": [3], "new": 0}, "b": None}, "f": {"now": "a mapping"}}
    assert overlaid(tree, overlay) == {"a": {"c": {"d": 2, "e": [3], "new": 0}}, "f": {"now": "a mapping"}}
    assert tree == {"a": {"b": 1, "c": {"d": 2, "e": [1, 2]}}, "f": 3}


WITHOUT_DIGITS = "prepare: {digits: null}\nforge: {digits: null}\n"


def preset(path: Path, text: str) -> Path:
    file = path.with_name("smoke.yaml")
    file.write_text(text)
    return file


def test_a_preset_is_laid_over_the_file_and_its_comments_stay(path: Path) -> None:
    overlay = "ensemble: {members: 3, cells: {digits: null, waveform: {epochs: 1}}}\n" + WITHOUT_DIGITS
    apply_preset(path, preset(path, overlay))
    before, after = yaml.safe_load(TEXT), read_yaml(path)
    before["ensemble"]["members"] = 3
    before["ensemble"]["cells"]["waveform"]["epochs"] = 1
    del before["ensemble"]["cells"]["digits"], before["prepare"]["digits"], before["forge"]["digits"]
    assert after == before
    for comment in ("# a comment at the top", "# root of every stream", "# about the rows", "# widths"):
        assert comment in path.read_text()


def test_a_preset_laid_twice_changes_nothing_more(path: Path) -> None:
    file = preset(path, "ensemble: {members: 3, cells: {digits: null}}\n" + WITHOUT_DIGITS)
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
