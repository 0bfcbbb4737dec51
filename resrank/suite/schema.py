"""The typed suite: the one definition of what a configuration may hold."""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    field_validator,
    model_validator,
)

from resrank.options import Strict, short_repr
from resrank.reranker_entry import RerankerEntry, options_of, training_of
from resrank.reranker_options import TrainingOptions
from resrank.suite.entries import CollectionEntry, FirstStageEntry
from resrank.suite.mixture import AUTO, TrainedOn, weights_of

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
SeedNumber = Annotated[int, Field(ge=0)]


class System(RerankerEntry):
    """A reranker: its kind, its options, and how it is trained if it is."""

    label: str | None = Field(None, description="Name in tables and figures.")
    options_on: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        exclude_if=lambda changes: not changes,
        description="Collection -> options that differ there, of a system that is not trained: a "
        "prompt whose authors use another wording for some collections, say.",
    )
    training: dict[str, Any] | None = Field(
        None, description="Training options of the kind; unset if the system is not trained."
    )
    trained_on: TrainedOn = Field(
        AUTO,
        description="Collection whose train split is used. 'auto': the suite's first BEIR folder "
        "with a train split, else docstrings (docstrings_related for a system that gives grades). "
        "A mixture of several: {docstrings: 1, nfcorpus: 2}, with a weight for each; a list of "
        "names gives equal weights. A collection's weight, relative to the sum, is its share of "
        "the training queries. An epoch has as many queries as the collections have together, or "
        "`max_queries`. Queries are drawn without repetition, once for all epochs; a collection "
        "with fewer queries than its share repeats them. All queries of a batch come from one "
        "collection.",
    )
    trained_with: str = Field(
        "bm25",
        description="First stage whose lists it is trained on, of each collection in a mixture; it "
        "must not depend on a trained model.",
    )
    seeds: list[SeedNumber] | None = Field(
        None, min_length=1, description="Training seeds, in place of the suite's."
    )
    launcher: str = Field(
        "python", description="Command that starts a training job: `accelerate launch "
        "--config_file config/accelerate/ddp.yaml` trains on several devices."
    )  # fmt: skip
    threads: int = Field(
        2, ge=1, description="Processor threads of a training or reranking job. Small models run "
        "faster as two jobs of one thread than as one of two."
    )  # fmt: skip

    @model_validator(mode="after")
    def _no_training_no_options_of_it(self) -> System:
        about_training = {"launcher", "seeds", "trained_on", "trained_with"}
        about = sorted(self.model_dump(include=about_training, exclude_defaults=True))
        if self.training is None and about:
            raise ValueError(
                f"{', '.join(about)}: only for trained systems, but `training` is missing. Your "
                "entry replaces the whole library entry: copy its `training`, or write "
                "`training: {}`"
            )
        return self

    @model_validator(mode="after")
    def _check_options_on(self) -> System:
        if self.options_on and self.training is not None:
            raise ValueError("options_on: only for systems that are not trained; drop one of them")
        for changed in self.options_on.values():
            options_of(self.kind, self.options | changed)
        return self

    @model_validator(mode="after")
    def _check_training(self) -> System:
        if self.typed_training is not None:
            self.reranker.check_training(self.typed_options)
        return self

    @property
    def weights(self) -> dict[str, float]:
        """Return the collections that `trained_on` names, each with its weight."""
        return weights_of(self.trained_on)

    @property
    def typed_training(self) -> TrainingOptions | None:
        """Return the training options as the kind's type, or None if it is not trained."""
        return None if self.training is None else training_of(self.kind, self.training)


class Measurement(Strict):
    """How cost is measured, in a process of its own."""

    scenarios: list[Literal["SingleStream", "Offline"]] = Field(
        ["SingleStream", "Offline"], description="MLPerf's: one query at a time, which is always "
        "measured, and all at once, for throughput."
    )  # fmt: skip
    queries: int = Field(20, ge=1, description="Queries timed, the first by hash of their id.")
    warmup: int = Field(3, ge=0, description="Queries run before the clock starts.")
    threads: int | None = Field(
        None, ge=1, description="Processor threads; those that Snakemake was given if unset."
    )


class Suite(Strict):
    """One configuration: which collections, first stages, systems, seeds, metrics."""

    name: str = Field(description="Outputs go to results/<name>/.")
    collections: list[str] = Field(min_length=1, description="Names of collections to evaluate.")
    systems: list[str] = Field(min_length=1, description="Names of systems to compare.")
    systems_on: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(
        {},
        description="Collection -> the systems compared on it, where these are not all: expensive "
        "systems on a small sample, say. No means over collections are taken then.",
    )
    untrained: bool | list[str] = Field(
        True,
        description="Compare trained systems with their untrained selves: the same kind and "
        "options before training. A list names the systems; false: none.",
    )
    first_stages: list[str] = Field(["bm25"], min_length=1, description="Names of first stages.")
    metrics: list[str] = Field(
        ["nDCG@10", "MRR@10", "Recall@100"], min_length=1, description="ir_measures names."
    )
    seeds: list[SeedNumber] = Field(
        [1, 2, 3], min_length=1, description="Seeds of trained systems."
    )
    shards: int = Field(
        1,
        ge=1,
        description="Number of jobs that embedding and reranking are each split into; the results "
        "are the same for any number.",
    )
    optional: list[str] | None = Field(
        None,
        description="Collections to skip if they are unavailable, for lack of files or of a "
        "network; unset: those whose own entry says `optional`.",
    )
    offline: bool = Field(
        False, description="Ask no network for data: an optional collection whose files are not "
        "here is skipped, any other is an error before anything runs."
    )  # fmt: skip
    measure: Measurement = Measurement()
    baseline: str | None = Field(
        None,
        description="Reference system, which every other one is tested against; unset: the first "
        "system of each collection.",
    )
    comparisons: Literal["baseline", "all_pairs"] = Field(
        "baseline", description="The tests that Holm's correction covers together: every system "
        "against the baseline, or all pairs of systems, which makes each of them harder to show."
    )  # fmt: skip
    scale: int = Field(
        1, ge=1, description="Divide layers and widths of models with random weights "
        "(`random:<hub id>`) by this, for machines that the published shapes are too large for."
    )  # fmt: skip
    ablation: str | dict[str, str] | None = Field(
        None, description="The reference, which others differ from by one choice: adds a table of "
        "what each choice is worth, with tests. Collection -> reference, where systems are trained "
        "per collection."
    )  # fmt: skip
    sensitivity: list[str] = Field(
        [], description="Systems that are run again with other batches, number formats, candidate "
        "orders and seeds: adds a table of what that changes."
    )  # fmt: skip
    title: str | None = Field(None, description="Heading of the tables.")
    demonstration: bool = Field(
        False, description="Say beside every result that it is a demonstration, not a benchmark."
    )
    define: Definitions = Field(
        default_factory=lambda: Definitions(),
        description="Collections, first stages and systems of this suite's own.",
    )

    def systems_of(self, collection: str) -> list[str]:
        """Return the systems that are compared on a collection, in the suite's order."""
        chosen = set(self.systems_on.get(collection, self.systems))
        return [name for name in self.systems if name in chosen]

    def reference_on(self, collection: str) -> str | None:
        """Return the ablation's reference on a collection, or None if it has none there."""
        if isinstance(self.ablation, dict):
            return self.ablation.get(collection)
        return self.ablation

    @property
    def references(self) -> list[str]:
        """The ablation's references."""
        named = [self.reference_on(collection) for collection in self.collections]
        return list(dict.fromkeys(name for name in named if name is not None))

    @field_validator("name")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        return plain_name(value)

    @field_validator("collections", "systems", "first_stages", "metrics", "seeds", "sensitivity")
    @classmethod
    def _each_once(cls, value: list[Any]) -> list[Any]:
        twice = sorted(str(item) for item, count in Counter(value).items() if count > 1)
        if twice:
            raise ValueError(f"{', '.join(twice)} occurs twice; name each once")
        return value

    @model_validator(mode="after")
    def _optional_of_its_own(self) -> Suite:
        _check_among("optional", self.optional or [], "collections", self.collections)
        return self

    @model_validator(mode="after")
    def _systems_on_known_names(self) -> Suite:
        for collection, systems in self.systems_on.items():
            _check_among("systems_on", [collection], "collections", self.collections)
            _check_among(f"systems_on: {collection}", systems, "systems", self.systems)
        for collection in self.systems_on:
            self._check_references(collection)
        used = {name for collection in self.collections for name in self.systems_of(collection)}
        idle = [name for name in self.systems if name not in used]
        if idle:
            raise ValueError(
                f"systems_on: no collection is left for {', '.join(idle)}; add it to a collection "
                "there, or take it out of `systems`"
            )
        return self

    @model_validator(mode="after")
    def _ablation_on_known_names(self) -> Suite:
        if isinstance(self.ablation, dict):
            _check_among("ablation", list(self.ablation), "collections", self.collections)
        return self

    def _check_references(self, collection: str) -> None:
        """Raise ValueError if a reference on a collection is not compared there."""
        systems = self.systems_of(collection)
        named = {"baseline": self.baseline, "ablation": self.reference_on(collection)}
        for key, name in named.items():
            if name in self.systems:
                _check_among(f"{key} on {collection}", [name], "systems there", systems)

    @field_validator("metrics")
    @classmethod
    def _known_metrics(cls, value: list[str]) -> list[str]:
        from resrank.evaluation.metrics import parse_metric

        for name in value:
            parse_metric(name)
        return value


class Definitions(Strict):
    """Named collections, first stages and systems: the library, or a suite's own additions."""

    collections: dict[str, CollectionEntry] = Field(default_factory=dict)
    first_stages: dict[str, FirstStageEntry] = Field(default_factory=dict)
    systems: dict[str, System] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _plain_names(self) -> Definitions:
        for section in (self.collections, self.first_stages, self.systems):
            for name in section:
                plain_name(name)
        return self


def _check_among(key: str, names: list[str], section: str, allowed: list[str]) -> None:
    """Raise ValueError if one of a key's names is not in the suite's section."""
    for name in names:
        if name not in allowed:
            raise ValueError(
                f"{key}: {name!r} is not among the suite's {section}: {', '.join(allowed)}"
            )


def plain_name(value: str) -> str:
    """Names become folders: letters, digits, '_', '-' and '.' only."""
    if not PLAIN.fullmatch(value):
        raise ValueError(f"name {short_repr(value)}: use letters, digits, '_', '-' and '.' only")
    return value


Suite.model_rebuild()
