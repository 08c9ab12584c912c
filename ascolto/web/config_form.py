"""A form made of a connector's settings: any network's own fields, without a line written for it.

Secrets are password fields that are never filled in again; left empty on an existing source they stay as they are.
"""

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ascolto.web.i18n import N_, Words
from connectors.base import ConnectorConfig

Widget = Literal["text", "password", "number", "checkbox", "list", "select", "address"]
# Set by the screen itself, not typed.
_NOT_TYPED = frozenset({"kind", "query"})
# Optional texts that few people need; everything with a working default is among them anyway.
_RARE = frozenset({"api_url", "account_id", "user_agent", "instance"})
MAX_LIST = 200


@dataclass(frozen=True, slots=True)
class FormField:
    """One field as the template draws it. `label` is a msgid: the setting's own description."""

    name: str
    label: str
    widget: Widget
    is_required: bool
    is_advanced: bool
    value: str | bool = ""
    options: tuple[str, ...] = ()
    error: str = ""
    is_kept: bool = False  # a secret that is stored already


def describe_fields(
    config_class: type[ConnectorConfig],
    *,
    values: Mapping[str, Any] | None = None,
    kept_secrets: frozenset[str] = frozenset(),
    errors: Mapping[str, str] | None = None,
) -> list[FormField]:
    """Give the fields of a network's form, what is needed first; secrets never carry a value."""
    given, told = values or {}, errors or {}
    fields = []
    for name, info in config_class.model_fields.items():
        if name in _NOT_TYPED:
            continue
        widget, options = _widget_of(info)
        is_secret = widget == "password"
        default = None if info.default is PydanticUndefined else info.default
        value = "" if is_secret else _shown(given.get(name, default), widget)
        fields.append(
            FormField(
                name=name,
                label=info.description or name.replace("_", " "),
                widget=widget,
                is_required=info.is_required() and name not in kept_secrets,
                is_advanced=not info.is_required() and not is_secret and (name in _RARE or bool(default)),
                value=value,
                options=options,
                error=told.get(name, ""),
                is_kept=name in kept_secrets,
            )
        )
    return sorted(fields, key=lambda field: (field.is_advanced, not field.is_required))


def read_fields(config_class: type[ConnectorConfig], form: Mapping[str, str]) -> dict[str, Any]:
    """Read what was typed: empty texts are left out, so that the settings' own defaults hold."""
    settings: dict[str, Any] = {}
    for name, info in config_class.model_fields.items():
        if name in _NOT_TYPED:
            continue
        widget, _ = _widget_of(info)
        typed = form.get(name, "").strip()
        if widget == "checkbox":
            settings[name] = name in form
        elif widget == "list":
            parts = [part.strip() for part in typed.replace(",", "\n").splitlines() if part.strip()]
            if parts:
                settings[name] = tuple(parts[:MAX_LIST])
        elif typed:
            settings[name] = typed
    return settings


def secret_names(config_class: type[ConnectorConfig]) -> frozenset[str]:
    """Give the names of the secret settings."""
    return frozenset(name for name, info in config_class.model_fields.items() if _widget_of(info)[0] == "password")


def errors_in_words(error: ValidationError, words: Words) -> dict[str, str]:
    """Give a message by field ("" for the whole form). Values typed never come back in it."""
    told: dict[str, str] = {}
    for problem in error.errors(include_input=False, include_url=False):
        field = str(problem["loc"][0]) if problem["loc"] else ""
        told.setdefault(field, _in_words(problem["type"], problem["msg"], words))
    return told


def _in_words(kind: str, message: str, words: Words) -> str:
    match kind:
        case "missing" | "string_too_short":
            return words.gettext(N_("Please fill this in."))
        case "string_pattern_mismatch" | "url_parsing" | "url_scheme":
            return words.gettext(N_("This does not have the form it should have."))
        case "int_parsing" | "int_type" | "float_parsing":
            return words.gettext(N_("Write a whole number."))
        case "greater_than_equal" | "less_than_equal" | "greater_than" | "less_than":
            return words.gettext(N_("This number is out of range."))
        case _:
            text = message.removeprefix("Value error, ")
            translated = words.gettext(text)
            return translated[:1].upper() + translated[1:]


def _widget_of(info: FieldInfo) -> tuple[Widget, tuple[str, ...]]:
    plain = _without_none(info.annotation)
    origin = typing.get_origin(plain)
    simple: dict[Any, Widget] = {SecretStr: "password", bool: "checkbox", int: "number", float: "number"}
    widget: Widget = simple.get(plain, "text")
    options: tuple[str, ...] = ()
    if isinstance(plain, type) and issubclass(plain, StrEnum):
        widget, options = "select", tuple(member.value for member in plain)
    elif origin is Literal:
        widget, options = "select", tuple(str(choice) for choice in typing.get_args(plain))
    elif origin in {tuple, list, frozenset, set}:
        widget = "list"
    elif "url" in str(plain).lower():
        widget = "address"
    return widget, options


def _without_none(annotation: Any) -> Any:
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        choices = [choice for choice in typing.get_args(annotation) if choice is not type(None)]
        return choices[0] if len(choices) == 1 else str
    return annotation


def _shown(value: Any, widget: Widget) -> str | bool:
    if widget == "checkbox":
        return bool(value)
    if value is None:
        return ""
    if widget == "list":
        return "\n".join(str(part) for part in value)
    return "" if isinstance(value, BaseModel) else str(value)
