"""Plain values -> frozen dataclasses, strictly: the one reader of every config.

A key that is missing, misspelt or of the wrong type fails here, before anything is read
or computed.
"""

import dataclasses
import difflib
import enum
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from reviewintent_jax.schema import InputError

S = TypeVar("S")


def read_settings(kind: type[S], values: Any, path: str) -> S:
    """Builds dataclass ``kind`` from plain values, recursively and strictly."""
    if not isinstance(values, Mapping):
        raise InputError(f"{path} must be a group of settings, not {values!r}.")
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for key in values:
        if key not in names:
            near = difflib.get_close_matches(str(key), names, 1)
            raise InputError(
                f"There is no setting {path}.{key}.",
                fix=f"Did you mean {path}.{near[0]}?"
                if near
                else f"There are: {', '.join(names)}.",
            )
    missing = [name for name in names if name not in values]
    if missing:
        raise InputError(
            f"Missing settings: {', '.join(f'{path}.{m}' for m in missing)}."
        )
    made = {n: _convert(hints[n], values[n], f"{path}.{n}") for n in names}
    return kind(**made)


def with_later(
    values: Mapping[str, Any], later: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """A stored config, its groups filled up with settings that are younger than it.

    >>> with_later({"data": {"path": "a.csv"}}, {"data": {"path": "", "order": "iso"}})
    {'data': {'path': 'a.csv', 'order': 'iso'}}
    """
    filled = {group: {**new, **values.get(group, {})} for group, new in later.items()}
    return {**values, **filled}


def _convert(kind: Any, value: Any, path: str) -> Any:
    """Converts one plain value to the type that its dataclass declares."""
    if dataclasses.is_dataclass(kind):
        return read_settings(typing.cast(type, kind), value, path)
    if typing.get_origin(kind) is tuple:
        if isinstance(value, str) or not hasattr(value, "__iter__"):
            raise InputError(f"{path} must be a list, not {value!r}.")
        item = typing.get_args(kind)[0]
        return tuple(_convert(item, each, path) for each in value)
    if isinstance(kind, type) and issubclass(kind, enum.StrEnum):
        if value not in [choice.value for choice in kind]:
            choices = ", ".join(choice.value for choice in kind)
            raise InputError(
                f"{path} cannot be {value!r}.", fix=f"Choose of: {choices}."
            )
        return kind(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InputError(f"{path} must be of type {kind.__name__}, not {value!r}.")
    return value


def setting_leaves(tree: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Nested settings as one flat dict of dotted names.

    Example: ``{"train": {"epochs": 2}}`` -> ``{"train.epochs": 2}``.
    """
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat |= setting_leaves(value, f"{path}{name}.")
        else:
            flat[f"{path}{name}"] = value
    return flat
