"""params.yaml read strictly: a typo costs a second, not an hour.

Every stage validates the whole file before it works. Beyond the schema this module knows which keys refer to
others, how to say what is wrong, and how a preset is laid over the file without losing its comments.
"""

from __future__ import annotations

import copy
import io
import sys
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML

from torchstone.core.errors import InputError, near_miss
from torchstone.core.files import read_bytes, write_json, write_text
from torchstone.core.schema import Params


class _UniqueKeys(yaml.SafeLoader):
    """YAML lets the later of two equal keys win silently; this loader refuses them."""


def _mapping(loader: _UniqueKeys, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
            raise yaml.constructor.ConstructorError(None, None, "a key is a mapping or a list", key_node.start_mark)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"key '{key}' is given twice", key_node.start_mark)
        seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(path: Path) -> Any:  # noqa: ANN401  validated by the caller
    """Read YAML without object tags; raises InputError that names file and line."""
    try:
        return yaml.load(read_bytes(path, remedy="restore it with `git checkout`"), Loader=_UniqueKeys)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None


def _model_at(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel] | None:
    """Find the model at a pydantic error location; the steps into a mapping or list of rows lead to a row's model."""
    found = model
    in_rows = False
    for step in location:
        if in_rows:
            in_rows = False
            continue
        if step not in found.model_fields:
            return None
        annotation = found.model_fields[str(step)].annotation
        parts = _parts(annotation)
        if not parts:
            return None
        found, in_rows = parts[0], get_origin(annotation) in {dict, list}
    return found


def _parts(annotation: Any) -> list[Any]:  # noqa: ANN401  a typing construct
    inner = [part for argument in getattr(annotation, "__args__", ()) for part in _parts(argument)]
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return [annotation, *inner] if is_model else inner


def _complaint(path: Path, model: type[BaseModel], error: Mapping[str, Any]) -> str:
    """Turn one pydantic error into file, key, value and what would be right."""
    location = tuple(error["loc"])
    if not location:
        return f"{path}: {error['msg'].removeprefix('Value error, ')}"
    shown = ".".join(str(step) for step in location)
    if error["type"] == "extra_forbidden":
        holder = _model_at(model, location[:-1])
        hint = near_miss(str(location[-1]), holder.model_fields) if holder else "remove it"
        return f"{path}: {shown}: unknown key; {hint}"
    if error["type"] == "missing":
        return f"{path}: {shown}: key is missing; add it"
    return f"{path}: {shown} = {error['input']!r}: {error['msg'].removeprefix('Value error, ')}"


Model = Any


def validated(path: Path, model: type[BaseModel], content: object) -> Model:
    """Check ``content`` against a model; raises InputError with one line for each thing that is wrong."""
    if not isinstance(content, dict):
        raise InputError(f"{path}: a mapping of sections is expected, this is {type(content).__name__}")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        # an unknown key comes first: the missing one is mostly the same key, mistyped
        errors = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        raise InputError("\n".join(_complaint(path, model, one) for one in errors)) from None


def load_params(path: Path) -> Params:
    """Read and check the whole file; raises InputError naming file, key, value and what would be right."""
    params: Params = validated(path, Params, read_yaml(path))
    return params


def overlaid(tree: Any, overlay: Mapping[str, Any]) -> Any:  # noqa: ANN401  a YAML tree, comments included
    """Lay an overlay over a tree: mappings merge, null removes a row, anything else replaces."""
    merged = copy.deepcopy(tree)
    for name, value in overlay.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(name), Mapping):
            merged[name] = overlaid(merged[name], value)
        else:
            merged[name] = value
    return merged


def apply_preset(path: Path, preset: Path) -> None:
    """Lay ``presets/NAME.yaml`` over params.yaml, comments kept; the result is checked before it is written."""
    round_trip = YAML()
    round_trip.width = 120
    round_trip.preserve_quotes = True
    overlay = read_yaml(preset) or {}
    if not isinstance(overlay, Mapping):
        raise InputError(f"{preset}: a mapping of sections is expected, this is {type(overlay).__name__}")
    read_yaml(path)  # says where it is broken, if it is
    tree = overlaid(round_trip.load(read_bytes(path)), overlay)
    buffer = io.StringIO()
    round_trip.dump(tree, buffer)
    validated(preset, Params, yaml.safe_load(buffer.getvalue()))
    write_text(path, buffer.getvalue())


def main(arguments: list[str]) -> int:
    """Serve ``python -m torchstone.core.params check | schema FILE | preset FILE``."""
    path = Path("params.yaml")
    try:
        match arguments:
            case ["check"]:
                load_params(path)
            case ["schema", target]:
                write_json(Path(target), Params.model_json_schema())
            case ["preset", preset]:
                apply_preset(path, Path(preset))
                load_params(path)
            case _:
                raise InputError("usage: python -m torchstone.core.params check | schema FILE | preset FILE")
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
