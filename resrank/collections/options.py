"""The options that every kind of collection has."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from resrank.collections.counting import Counts
from resrank.options import Strict

Grade = Annotated[int, Field(ge=1)]


class CollectionOptions(Strict):
    """Origin, sizes, grades, samples and first stages of a collection."""

    kind: str = Field(description="A registered kind, or 'package.module:Class'.")
    source: str = Field("not stated", description="Origin, copied to the manifest.")
    version: str = Field("", description="Which version, and why, copied to the manifest.")
    licence: str = Field("not stated", description="Licence, copied to the manifest.")
    terms: str = Field(
        "",
        description="Terms to agree to; printed before anything is fetched, and recorded.",
    )
    instruction: str = Field(
        "Given a web search query, retrieve relevant passages that answer the query",
        description="What its queries ask for, in the words that instructed encoders are trained "
        "with; replaces `{instruction}` in a system's options.",
    )
    counts: Counts = Field(Counts(), description="Sizes that it must have; others are an error.")
    optional: bool = Field(
        False,
        description="Whether a suite goes on without it where its files are missing; a suite's "
        "own `optional` has the last word.",
    )
    relevant_grade: int = Field(
        1, ge=1, description="Lowest grade that counts as relevant for binary metrics."
    )
    grades_from: tuple[Grade, Grade] | None = Field(
        None,
        description="Lowest grades of the collection that count as 1 (partly relevant) and as 2 "
        "(relevant) of three; equal where it has no partly relevant passages. Needed by systems "
        "that give grades.",
    )
    complete: bool = Field(
        False,
        description="Whether a passage without a judgment has the lowest of three grades, because "
        "the judgments are complete; else it is left out of measures of grades.",
    )
    exclude_same_id: bool = Field(
        False,
        description="Whether the passage that has a query's id is left out of its candidates: it "
        "is the query itself where queries are passages, as in ArguAna and Quora.",
    )
    test_sample: int | None = Field(
        None, ge=1, description="Evaluate a fixed sample of this many test queries (all if unset)."
    )
    train_sample: int | None = Field(
        None, ge=1, description="Train on a fixed sample of this many train queries (all if unset)."
    )
    first_stages: list[str] | None = Field(
        None, description="First stages for this collection, in place of the suite's."
    )

    @field_validator("grades_from")
    @classmethod
    def _rising(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and value[0] > value[1]:
            raise ValueError(
                f"grades_from: {list(value)}; the grade that counts as 1 must not be above the one "
                "that counts as 2"
            )
        return value
