"""Options that name a teacher: a system of the suite, or a file of rankings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from resrank.options import Strict
from resrank.reranker_options import TeacherWork

PREFIX = "system:"
ENCODER = "encoder"
"""Names a stage's own frozen encoder as its teacher."""
TEACHER = (
    "`system:<name>`, a system of the suite or the library whose ranking of the training lists is "
    "a job of its own; or a file: a TREC run, or JSONL with {'query_id': ..., 'ranking': [passage "
    "ids, best first]} per line; `{collection}` in its name stands for that of each collection "
    "that the system is trained on"
)
COLLECTION = "{collection}"
"""Stands for the name of a training collection in the name of a teacher's file."""


class NegativeFilter(Strict):
    """Leave out negatives that a teacher scores about as high as the positive.

    These are likely relevant, though not judged. This is positive-aware mining with an absolute
    margin (Moreira et al., 2024, arXiv 2407.15831).
    """

    teacher: str = Field(description=f"Who scores the candidates: {TEACHER}.")
    margin: float = Field(
        0.0,
        ge=0,
        description="A candidate is left out if its score is above the positive's minus this. 0 "
        "leaves out those that the teacher ranks above the positive. The unit is the teacher's "
        "score; for JSONL, which has none, one rank.",
    )

    @field_validator("teacher", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        return teacher_name(value)


class QueryShare(Strict):
    """Select a part of the training queries."""

    share: tuple[float, float] = Field(
        (0.0, 1.0),
        description="Part of the training queries that is used, in the order of a hash of their "
        "ids. A system that learns from a trained encoder's scores needs other queries than that "
        "encoder was trained on.",
    )


class FilteredNegatives(QueryShare):
    """Options of a training that draws negatives from the candidates."""

    negative_filter: NegativeFilter | None = Field(
        None, description="Leave out likely relevant negatives, by a teacher's scores; unset: none."
    )

    @property
    def teacher_names(self) -> list[str]:
        """Return every teacher that the options name, a system or a file."""
        return [self.negative_filter.teacher] if self.negative_filter else []

    @property
    def rankings(self) -> list[Path]:
        """Return the teachers' files."""
        return teacher_files(self.teacher_names)

    @property
    def teachers(self) -> tuple[TeacherWork, ...]:
        """Return the teaching systems: one that filters scores every candidate."""
        return tuple(TeacherWork(name, self.share) for name in teacher_systems(self.teacher_names))


class TaughtLists(Strict):
    """Options of a training on lists that a teacher may order."""

    encoder_teaches: ClassVar[bool] = False
    """Whether the order of the encoder's own cosines may be the teacher."""
    teacher: str | None = Field(
        None,
        description=f"Who orders the lists, in place of the qrels: {TEACHER}. Queries without an "
        "ordering are left out. Unset: the qrels grade the lists.",
    )
    labels: Literal["ignored", "first"] = Field(
        "ignored",
        description="With a teacher: 'first' moves the judged relevant passages to the front of "
        "its ordering, by grade; 'ignored' takes the ordering as it is.",
    )

    @field_validator("teacher", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        if value == ENCODER and not cls.encoder_teaches:
            raise ValueError(
                "`teacher: encoder` is for a stage of the kind `resrank`; name a system as "
                "`system:<name>`, or a file of that name as `./encoder`"
            )
        return teacher_name(value)

    @model_validator(mode="after")
    def _labels_with_a_teacher(self) -> TaughtLists:
        if self.labels == "first" and self.teacher is None:
            raise ValueError(
                "`labels: first` moves judged passages to the front of a teacher's ordering, but "
                "there is no `teacher`; name one, or leave `labels` out: the qrels grade the lists"
            )
        return self


def teacher_name(value: object) -> object:
    """Return a teacher's name, a path as text. Raises ValueError if it is empty."""
    name = str(value) if isinstance(value, Path) else value
    if isinstance(name, str) and not name.removeprefix(PREFIX).strip():
        raise ValueError(f"teacher {name!r} names nothing; give `system:<name>` or a file")
    return name


def teacher_systems(teachers: Iterable[str | None]) -> list[str]:
    """Return the names of the teachers that are systems."""
    return [t.removeprefix(PREFIX) for t in teachers if t is not None and t.startswith(PREFIX)]


def teacher_files(teachers: Iterable[str | None]) -> list[Path]:
    """Return the paths of the teachers that are files."""
    named = (t for t in teachers if t is not None and t != ENCODER)
    return [Path(t) for t in named if not t.startswith(PREFIX)]


def of_collections(file: Path, names: Iterable[str]) -> list[Path]:
    """Return a teacher's file of each collection, or the one file that serves all."""
    text = str(file)
    return (
        [Path(text.replace(COLLECTION, name)) for name in names] if COLLECTION in text else [file]
    )


def with_runs(training: Any, run_of: Callable[[str], str]) -> Any:
    """Return training options with the run of each teaching system in place of its name.

    training: the `training` section of an entry. run_of: returns a system's run.
    """
    if isinstance(training, list):
        return [with_runs(item, run_of) for item in training]
    if not isinstance(training, dict):
        return training
    return {
        key: run_of(value.removeprefix(PREFIX))
        if key == "teacher" and isinstance(value, str) and value.startswith(PREFIX)
        else with_runs(value, run_of)
        for key, value in training.items()
    }
