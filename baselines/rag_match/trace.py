"""A reasoning trace: what the query asks, how the passage answers it, a grade (RAG-Match, HRA).

Written in one line of `name: value` parts between bars, so that a tokenizer that loses case, line
breaks and spaces around signs, as the demo's does, keeps every part of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import StringConstraints

from baselines.llm.interface import whole
from resrank.options import Strict
from resrank.records import GRADES

BAR = "|"
OPENING = "grade:"
"""What a grade is written behind; no space follows, so that its digit is a token of its own."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Level = Literal["none", "partial", "full"]
LEVELS: tuple[Level, ...] = ("none", "partial", "full")


class Grounding(Strict):
    """Step one: what the query is after."""

    intent: Text
    answer_type: Text
    scope: Text
    constraints: Text


class Alignment(Strict):
    """Step two: how the passage answers it."""

    intent_consistency: Level
    entity_fidelity: Level
    logical_completeness: Level
    information_density: Level


class Trace(Strict):
    """Both steps, and the grade that follows from them."""

    grounding: Grounding
    alignment: Alignment
    grade: Literal[0, 1, 2]

    def reasoning(self) -> str:
        """All but the grade, up to where it is written."""
        values = self.grounding.model_dump() | self.alignment.model_dump()
        parts = [f"{_shown(name)}: {_plain(value)}" for name, value in values.items()]
        return f" {BAR} ".join([*parts, OPENING])

    def text(self) -> str:
        """The whole trace in one line."""
        return f"{self.reasoning()}{self.grade}"


class Defect(StrEnum):
    """What can be wrong with a written trace."""

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
    """A text that is no trace, and why."""

    defect: Defect
    detail: str


FIELDS = (*Grounding.model_fields, *Alignment.model_fields, "grade")


def parse(text: str) -> Trace | Malformed:
    """The trace that a text is, to the letter but for case and spaces; or what is wrong with it."""
    if not text.strip():
        return Malformed(Defect.EMPTY, "")
    values: dict[str, str] = {}
    for part in whole(text).split(BAR):
        name, colon, value = part.partition(":")
        field = "_".join(name.lower().split())
        if not colon:
            return Malformed(Defect.NO_FIELD, part.strip())
        if field not in FIELDS:
            return Malformed(Defect.UNKNOWN_FIELD, name.strip())
        if field in values:
            return Malformed(Defect.REPEATED_FIELD, name.strip())
        values[field] = " ".join(value.split())
    return _checked(values)


def defects(parsed: Sequence[Trace | Malformed]) -> dict[str, int]:
    """How many texts have which defect."""
    return dict(Counter(str(p.defect) for p in parsed if isinstance(p, Malformed)))


def _checked(values: dict[str, str]) -> Trace | Malformed:
    """A trace of named values: all of them, in order, each of its kind."""
    for name in FIELDS:
        if name not in values:
            return Malformed(Defect.MISSING_FIELD, _shown(name))
        if not values[name]:
            return Malformed(Defect.NO_VALUE, _shown(name))
    if tuple(values) != FIELDS:
        return Malformed(Defect.WRONG_ORDER, ", ".join(map(_shown, values)))
    for name in Alignment.model_fields:
        values[name] = values[name].lower()
        if values[name] not in LEVELS:
            return Malformed(Defect.UNKNOWN_LEVEL, f"{_shown(name)}: {values[name]}")
    if values["grade"] not in {str(grade) for grade in range(GRADES)}:
        return Malformed(Defect.UNKNOWN_GRADE, values["grade"])
    found: dict[str, Any] = dict(values)
    return Trace.model_validate(
        {
            "grounding": {name: found[name] for name in Grounding.model_fields},
            "alignment": {name: found[name] for name in Alignment.model_fields},
            "grade": int(values["grade"]),
        }
    )


def _shown(name: str) -> str:
    return name.replace("_", " ")


def _plain(value: str) -> str:
    """A value in one line without the sign between parts."""
    return " ".join(value.replace(BAR, "/").split())
