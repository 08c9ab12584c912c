"""Reads a new source's settings from a file, from --set and by asking, as its network defines them."""

import json
import os
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import typer
from pydantic import BaseModel, SecretStr, ValidationError

from ascolto.cli.exits import CliError, ExitCode

if TYPE_CHECKING:
    from connectors.base import ConnectorConfig

_MAX_BYTES = 1_000_000
_FROM_ENVIRONMENT = "env:"


def read_config(
    config_class: "type[ConnectorConfig]", *, file: str | None, settings: Sequence[str]
) -> dict[str, object]:
    """Give the settings of a source: the file's, then --set over them, then secrets asked for at a terminal."""
    config = _read_file(file) if file is not None else {}
    for setting in settings:
        name, separator, value = setting.partition("=")
        if not separator or not name:
            raise CliError(f'--set takes name=value, not "{name}".', code=ExitCode.USAGE)
        _put(config, config_class, name, _value(name, value))
    for name, field in config_class.model_fields.items():
        if field.is_required() and name not in config and is_secret(config_class, name) and sys.stdin.isatty():
            config[name] = typer.prompt(field.description or name, hide_input=True, err=True)
    return config


def explain_config(error: ValidationError, network: str) -> CliError:
    """Say what is wrong with a source's settings, field by field, without their values."""
    problems = "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'settings'}: {problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors(include_input=False, include_url=False)
    )
    return CliError(
        f"These settings are not enough for {network}. {problems}.",
        code=ExitCode.USAGE,
        cure=f"`ascolto source networks {network}` lists them all.",
    )


def describe_fields(config_class: type[BaseModel], prefix: str = "") -> list[dict[str, object]]:
    """List a network's settings: name, what it is, whether it is needed or secret, and its default."""
    fields: list[dict[str, object]] = []
    for name, field in config_class.model_fields.items():
        inner = _inner_model(field.annotation)
        if inner is not None:
            fields += describe_fields(inner, f"{prefix}{name}.")
            continue
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        fields.append(
            {
                "name": prefix + name,
                "description": field.description or "",
                "is_required": field.is_required() and not prefix,
                "is_secret": is_secret(config_class, name),
                "default": None if isinstance(default, SecretStr) else default,
            }
        )
    return fields


def is_secret(config_class: type[BaseModel], name: str) -> bool:
    """Whether a setting is a secret one."""
    annotation = config_class.model_fields[name].annotation
    return annotation is SecretStr or SecretStr in get_args(annotation)


def _read_file(file: str) -> dict[str, object]:
    try:
        if file == "-":
            text, name = sys.stdin.read(_MAX_BYTES), "standard input"
        else:
            text, name = Path(file).read_text("utf-8")[:_MAX_BYTES], file
        content = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise CliError(f"{file} is neither TOML nor JSON.", code=ExitCode.USAGE) from error
    if not isinstance(content, dict):
        raise CliError(f"{name} must hold settings by name.", code=ExitCode.USAGE)
    return content


def _value(name: str, value: str) -> str:
    """The value itself, or for env:NAME what the environment holds, so that no secret stands on a command line."""
    if not value.startswith(_FROM_ENVIRONMENT):
        return value
    variable = value.removeprefix(_FROM_ENVIRONMENT)
    if variable not in os.environ:
        raise CliError(f"--set {name}: the environment has no {variable}.", code=ExitCode.USAGE)
    return os.environ[variable]


def _put(config: dict[str, object], config_class: type[BaseModel], path: str, value: str) -> None:
    name, _, rest = path.partition(".")
    field = config_class.model_fields.get(name)
    inner = None if field is None else _inner_model(field.annotation)
    if rest and inner is not None:
        nested = config.setdefault(name, {})
        if isinstance(nested, dict):
            _put(nested, inner, rest, value)
        return
    takes_many = field is not None and any("tuple" in str(kind) or "list" in str(kind) for kind in (field.annotation,))
    config[name] = [part.strip() for part in value.split(",") if part.strip()] if takes_many else value


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None
