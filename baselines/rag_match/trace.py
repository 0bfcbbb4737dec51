"""A reasoning trace: the query's need, how the passage meets it, and a grade.

The paper (arXiv 2605.25486, stage II) calls these two steps hierarchical reasoning alignment. A
trace is one line of `name: value` parts between bars. The demo's tokenizer loses case, line breaks
and spaces around signs; every part of this form survives that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import StringConstraints

from baselines.llm.interface import encodable
from resrank.options import Strict
from resrank.records import GRADES

BAR = "|"
OPENING = "grade:"
"""Precedes a grade. No space follows, so that the grade's digit is a token of its own."""

FieldText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Level = Literal["none", "partial", "full"]
LEVELS: tuple[Level, ...] = ("none", "partial", "full")


class Grounding(Strict):
    """Step one: what the query is after."""

    intent: FieldText
    answer_type: FieldText
    scope: FieldText
    constraints: FieldText


class PassageAlignment(Strict):
    """Step two: how the passage answers the query."""

    intent_consistency: Level
    entity_fidelity: Level
    logical_completeness: Level
    information_density: Level


class Trace(Strict):
    """Both steps, and the grade that follows from them."""

    grounding: Grounding
    alignment: PassageAlignment
    grade: Literal[0, 1, 2]

    def reasoning(self) -> str:
        """Return everything up to the place where the grade is written."""
        values = self.grounding.model_dump() | self.alignment.model_dump()
        parts = [f"{_label(name)}: {_without_bars(value)}" for name, value in values.items()]
        return f" {BAR} ".join([*parts, OPENING])

    def text(self) -> str:
        """Return the whole trace in one line."""
        return f"{self.reasoning()}{self.grade}"


class Defect(StrEnum):
    """What can be wrong with a written trace. The values are keys of a model's provenance."""

    EMPTY = "empty"
    NO_FIELD = "a part that is no `name: value`"
    UNKNOWN_FIELD = "an unknown field"
    REPEATED_FIELD = "a field twice"
    MISSING_FIELD = "a field missing"
    WRONG_ORDER = "fields in another order"
    NO_VALUE = "a field without a value"
    UNKNOWN_LEVEL = "an unknown level"
    UNKNOWN_GRADE = "an unknown grade"


class Malformed(NamedTuple):
    """The first defect of a text that is no trace, and the part of the text that shows it."""

    defect: Defect
    detail: str

    @property
    def reason(self) -> str:
        """Return the defect and where it is."""
        return f"{self.defect} ({self.detail})" if self.detail else str(self.defect)


FIELDS = (*Grounding.model_fields, *PassageAlignment.model_fields, "grade")


def parse(text: str) -> Trace | Malformed:
    """Parse a trace strictly: only case and spaces may differ from the form that `text` writes."""
    if not text.strip():
        return Malformed(Defect.EMPTY, "")
    values: dict[str, str] = {}
    for part in encodable(text).split(BAR):
        name, colon, value = part.partition(":")
        field = "_".join(name.lower().split())
        if not colon:
            return Malformed(Defect.NO_FIELD, part.strip())
        if field not in FIELDS:
            return Malformed(Defect.UNKNOWN_FIELD, name.strip())
        if field in values:
            return Malformed(Defect.REPEATED_FIELD, name.strip())
        values[field] = " ".join(value.split())
    return _defect_of(values) or _trace_of(values)


def count_defects(parsed: Sequence[Trace | Malformed]) -> dict[str, int]:
    """Return the number of texts per defect."""
    return dict(Counter(str(p.defect) for p in parsed if isinstance(p, Malformed)))


def _defect_of(values: dict[str, str]) -> Malformed | None:
    """Return the first defect of the values by field name, None if they make a trace."""
    for name in FIELDS:
        if name not in values:
            return Malformed(Defect.MISSING_FIELD, _label(name))
        if not values[name]:
            return Malformed(Defect.NO_VALUE, _label(name))
    if tuple(values) != FIELDS:
        return Malformed(Defect.WRONG_ORDER, ", ".join(map(_label, values)))
    for name in PassageAlignment.model_fields:
        if values[name].lower() not in LEVELS:
            return Malformed(Defect.UNKNOWN_LEVEL, f"{_label(name)}: {values[name].lower()}")
    if values["grade"] not in {str(grade) for grade in range(GRADES)}:
        return Malformed(Defect.UNKNOWN_GRADE, values["grade"])
    return None


def _trace_of(values: dict[str, str]) -> Trace:
    fields: dict[str, Any] = {
        "grounding": {name: values[name] for name in Grounding.model_fields},
        "alignment": {name: values[name].lower() for name in PassageAlignment.model_fields},
        "grade": int(values["grade"]),
    }
    return Trace.model_validate(fields)


def _label(name: str) -> str:
    """Return a field's name as a trace writes it."""
    return name.replace("_", " ")


def _without_bars(value: str) -> str:
    """Return a value in one line, with the sign that separates parts replaced."""
    return " ".join(value.replace(BAR, "/").split())
