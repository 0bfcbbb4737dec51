"""Published figures as data. `config/claims/*.yaml` holds one file per source."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from resrank.options import Strict


class SuiteResult(Strict):
    """The result of a suite that answers a claim; names as in config/."""

    system: str = Field(description="The system.")
    collections: dict[str, int] = Field(
        min_length=1,
        description="Collection -> number of its judged queries. The figure is the mean over the "
        "collections. A result over another number of queries does not answer the claim.",
    )
    first_stage: str = Field(description="First stage whose candidates are reranked.")
    depth: int = Field(100, ge=1, description="Candidates per query.")


class Claim(Strict):
    """One published figure."""

    system: str = Field(description="The system's name in the source.")
    where: str = Field(description="Table, figure or file of the source.")
    conditions: str = Field(description="Conditions under which it was measured.")
    quantity: str = Field(
        "nDCG@10",
        description="A metric of the suite, or what a query consumes (a column of the usage: "
        "generated_tokens, embedding_slots ...).",
    )
    value: float = Field(description="The published figure; metrics from 0 to 1, times in seconds.")
    over: Literal["judged", "with_candidates"] = Field(
        "judged",
        description="The queries that the published mean is over: all judged ones, or those among "
        "them that have candidates, as by code that divides by the queries in the run.",
    )
    prompt: str | None = Field(None, description="Name of the prompt that the figure belongs to.")
    prompt_hash: str | None = Field(
        None,
        min_length=64,
        max_length=64,
        description="Hash of that prompt; a run with another prompt does not answer the claim.",
    )
    published_run: str | None = Field(
        None,
        description="Path of the source's own run (TREC). If the file is there, queries are "
        "compared one by one.",
    )
    tolerance: float = Field(ge=0, description="Difference that still counts as reproduced.")
    tolerance_from: str = Field(description="Reason for the tolerance.")
    seed_cap: float = Field(
        0.005, ge=0, description="Limit up to which the spread of our seeds widens the tolerance."
    )
    replicates: list[float] = Field(
        [], description="The source's repeated runs; their spread widens the tolerance."
    )
    results: list[SuiteResult] = Field(
        [], description="Results that answer the claim; the first one present is used."
    )
    not_run: str = Field("", description="Reason why no result of this project can answer it.")

    @model_validator(mode="after")
    def _answered_or_not(self) -> Claim:
        if bool(self.results) == bool(self.not_run):
            raise ValueError(
                "give either `results` that answer the claim, or `not_run` with the reason"
            )
        if len(self.replicates) == 1:
            raise ValueError("one replicate has no spread; give two or more, or none")
        if (self.prompt is None) != (self.prompt_hash is None):
            raise ValueError("give both `prompt` and `prompt_hash`, or neither")
        return self

    @model_validator(mode="after")
    def _a_run_of_one_collection(self) -> Claim:
        if self.published_run and any(len(result.collections) > 1 for result in self.results):
            raise ValueError("`published_run` is of one collection, but `results` has several")
        return self


class Source(Strict):
    """A source and its figures."""

    source: str = Field(description="Paper or repository, with its version.")
    claims: dict[str, Claim] = Field(min_length=1, description="Claims by name.")
