"""Tables of kinds: names in a configuration that stand for classes, imported when they are used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from inspect import isabstract
from typing import Any

from pydantic import BaseModel

OWN = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")  # package.module:Class


class KindTable:
    """The registered kinds of one thing: name -> `module:Class`.

    thing: what the classes are, for messages: "system", "collection". A kind that is itself
    `package.module:Class` is a class outside the project and needs no registration.
    """

    def __init__(self, thing: str, classes: Mapping[str, str]) -> None:
        self.thing = thing
        self.classes = classes

    def reference(self, kind: str) -> str:
        """Return the `module:Class` of a kind. ValueError lists the registered kinds."""
        if OWN.fullmatch(kind):
            return kind
        if kind not in self.classes:
            raise ValueError(
                f"unknown {self.thing} kind {kind!r}; known: {', '.join(sorted(self.classes))}; "
                "or name your own class as 'package.module:Class'"
            )
        return self.classes[kind]

    def resolve(self, kind: str) -> Any:
        """Return the class of a kind. ValueError names a module or class that does not exist."""
        which = f"{self.thing} kind {kind!r}"
        module, _, name = self.reference(kind).partition(":")
        try:
            return vars(import_module(module))[name]
        except ModuleNotFoundError as error:
            if error.name and not module.startswith(error.name):
                raise
            raise ValueError(f"{which}: no module {module!r} ({error})") from error
        except KeyError as error:
            raise ValueError(f"{which}: {module} has no class {name!r}") from error

    def read(self, value: Any, base: type[BaseModel]) -> Any:
        """Return an entry of a configuration as an object of its `kind`.

        base: the class that every kind of this thing derives from. Raises ValueError or pydantic's
        ValidationError.
        """
        if isinstance(value, base):
            return value
        if not isinstance(value, Mapping):
            raise ValueError(f"a {self.thing} is a mapping of keys, with a 'kind' among them")
        if "kind" not in value:
            raise ValueError("no 'kind'; docs/configuration.md lists them")
        kind = str(value["kind"])
        cls = self.resolve(kind)
        if not (isinstance(cls, type) and issubclass(cls, base)):
            raise ValueError(f"{self.thing} kind {kind!r} is not a subclass of {base.__name__}")
        if isabstract(cls):
            missing = ", ".join(sorted(cls.__abstractmethods__))
            raise ValueError(f"{self.thing} kind {kind!r} does not define {missing}")
        return cls.model_validate(value)
