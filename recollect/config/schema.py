"""Check a configuration against its JSON Schema and say in one sentence what is wrong, and where."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from recollect.errors import RecollectError
from recollect.layout import ROOT

SCHEMA_DIR = ROOT / "config" / "schema"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same, ten times faster where PyYAML was built with libyaml: every start of Snakemake reads all settings."""


class ConfigError(RecollectError):
    """A configuration that cannot be run."""


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        ConfigError: the file is missing, is not YAML or is not a mapping.
    """
    try:
        value = yaml.load(Path(path).read_text(), Loader=LOADER)
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist: restore it or correct the path") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text: save it as YAML in UTF-8") from None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}): correct the path or its permissions"
        ) from None
    if not isinstance(value, dict):
        raise ConfigError(f"{path} must hold a mapping of keys to values, it holds {type(value).__name__}")
    return value


def suggestion(wrong: object, allowed: Iterable[object]) -> str:
    """' (did you mean X?)' for the closest allowed value, followed by the allowed values."""
    names = [str(name) for name in allowed]
    close = difflib.get_close_matches(str(wrong), names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(names)}"


def _holds(mapping: Any, keys: Sequence[Any]) -> bool:
    for key in keys:
        if (isinstance(mapping, list) and isinstance(key, int) and key < len(mapping)) or (
            isinstance(mapping, dict) and key in mapping
        ):
            mapping = mapping[key]
        else:
            return False
    return True


def origin(keys: Sequence[Any], files: Sequence[Path]) -> str:
    """The last of ``files`` that sets ``keys`` (later files win), else the command line."""
    for path in reversed(list(files)):
        try:
            if _holds(read_yaml(path), keys):
                return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
        except ConfigError:
            continue
    return "--config on the command line" if files else "the configuration"


def dotted(keys: Sequence[Any]) -> str:
    """``['tables', 0, 'metrics']`` as ``tables[0].metrics``."""
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else str(key)
    return text or "(top level)"


def _explain(error: Any, files: Sequence[Path]) -> str:
    keys = list(error.absolute_path)
    if error.validator == "additionalProperties":
        allowed = sorted(error.schema.get("properties", {}))
        wrong = min(set(error.instance) - set(allowed), key=str)
        where = origin([*keys, wrong], files)
        return f"unknown key {dotted([*keys, wrong])!r} in {where}: {suggestion(wrong, allowed)}"
    where = origin(keys, files)
    if error.validator == "enum":
        hint = suggestion(error.instance, error.validator_value)
        return f"{dotted(keys)} = {error.instance!r} in {where} is not a choice: {hint}"
    if error.validator == "type":
        wanted = error.validator_value
        wanted = " or ".join(wanted) if isinstance(wanted, list) else wanted
        return f"{dotted(keys)} = {error.instance!r} in {where} must be of type {wanted}"
    if error.validator == "required":
        return f"{error.message.replace(' is a required property', '')} is missing under {dotted(keys)} in {where}"
    return f"{dotted(keys)} in {where}: {error.message}"


def validate(value: dict[str, Any], schema_name: str, files: Sequence[Path]) -> None:
    """Check ``value`` against ``config/schema/<schema_name>.schema.json``.

    Args:
        value: the merged configuration.
        schema_name: suite, methods or scenarios.
        files: the files it was read from, in the order in which they were applied.

    Raises:
        ConfigError: naming the key, the file and the allowed values.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match
    from jsonschema.validators import extend

    # JSON Schema takes 5.0 for an integer; range() and file names do not.
    strict = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, v: type(v) is int)
    schema = json.loads((SCHEMA_DIR / f"{schema_name}.schema.json").read_text())
    error = best_match(extend(Draft202012Validator, type_checker=strict)(schema).iter_errors(value))
    if error is not None:
        raise ConfigError(_explain(error, files))
