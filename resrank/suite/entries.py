"""Fields of a suite whose entries are of a registered kind, validated by the kind's class."""

from __future__ import annotations

from typing import Annotated, Any, Union

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from resrank.candidates.base import FirstStageKind
from resrank.candidates.kinds import FIRST_STAGES
from resrank.collections.base import CollectionKind
from resrank.collections.kinds import COLLECTIONS
from resrank.kinds import KindTable


class OfKind:
    """Annotation of a field: its value is validated and written by the class of its `kind`.

    The JSON schema lists the classes of all registered kinds.
    """

    def __init__(self, table: KindTable, base: type[BaseModel]) -> None:
        self.table = table
        self.base = base

    def read(self, value: Any) -> Any:
        """Return the value as an object of its kind."""
        return self.table.read(value, self.base)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Validate by `read`; write whatever class the value has."""
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the union of the registered classes."""
        classes = tuple(map(self.table.resolve, self.table.classes))
        union: Any = Union[classes]  # noqa: UP007 - `|` takes no tuple
        return handler(TypeAdapter(union).core_schema)


CollectionEntry = Annotated[CollectionKind, OfKind(COLLECTIONS, CollectionKind)]
FirstStageEntry = Annotated[FirstStageKind, OfKind(FIRST_STAGES, FirstStageKind)]
