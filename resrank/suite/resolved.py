"""A suite with every name replaced by its definition: what the workflow plans from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from resrank.candidates.base import FirstStageKind
from resrank.collections.base import CollectionKind
from resrank.model.architectures import RANDOM
from resrank.model.trained_models import used_models
from resrank.reranker_options import TeacherWork
from resrank.suite.mixture import AUTO
from resrank.suite.schema import Suite, System
from resrank.suite.untrained import companions_of
from resrank.suite.used_systems import systems_below, teachers_of


class ReadCollection(NamedTuple):
    """What a training reads of a collection.

    labels: whether it reads the train queries. pseudo_queries: the most that it draws from the
    passages.
    """

    collection: str
    labels: bool
    pseudo_queries: int


class Resolved(BaseModel):
    """A suite with its collections, first stages and systems, and what follows from them."""

    suite: Suite
    """The suite without the skipped collections, and with the companions as systems."""
    collections: dict[str, CollectionKind]
    first_stages: dict[str, FirstStageKind]
    systems: dict[str, System]
    needed_stages: list[str]
    """The first stages that the suite uses: for its lists, in a fusion, or to train a system."""
    given: Suite
    """The suite as it was written, with the skipped collections."""
    untrained: dict[str, str] = {}
    """Each trained system that is compared with its untrained self, and that one's name."""
    unknown_starts: dict[str, str] = {}
    """Trained systems without an untrained self, and why."""
    skipped: dict[str, str] = {}
    """Optional collections that the suite skips, and why."""
    still_to_fetch: list[str] | None = None
    """`maybe_unavailable` when the suite was planned; None before that."""

    @property
    def companions(self) -> dict[str, list[str]]:
        """Each untrained self that the suite does not list, and the systems it belongs to.

        Companions are reranked and scored like other systems, but not timed.
        """
        return companions_of(self.given, self.untrained)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every (collection, first stage) that systems are compared on."""
        return [(c, stage) for c in self.suite.collections for stage in self.stages_of(c)]

    @property
    def compared(self) -> list[tuple[str, str, str]]:
        """Every (collection, first stage, system) that is compared."""
        return [(c, s, system) for c, s in self.pairs for system in self.suite.systems_of(c)]

    @property
    def listed(self) -> list[tuple[str, str, str]]:
        """`compared` without companions, whose costs are those of their trained systems."""
        companions = self.companions
        return [names for names in self.compared if names[2] not in companions]

    @property
    def ablated(self) -> list[tuple[str, str]]:
        """Every (collection, first stage) on which the ablation has a reference."""
        return [pair for pair in self.pairs if self.suite.reference_on(pair[0]) is not None]

    def baseline_on(self, collection: str) -> str:
        """Return the system that others are compared with on a collection."""
        first = next(s for s in self.suite.systems_of(collection) if s not in self.companions)
        return self.suite.baseline or first

    @property
    def ablation_tests(self) -> int:
        """Return the number of comparisons with the ablation's references, over all sets."""
        return sum(len(self.suite.systems_of(collection)) - 1 for collection, _ in self.ablated)

    @property
    def reports_ablation(self) -> bool:
        """Whether there is an ablation, even if optional collections cannot be fetched."""
        return self._ablated_for_certain > 0 or len(self.ablated) == len(self.pairs)

    @property
    def reports_ablation_by_label(self) -> bool:
        """Whether there is an ablation over several candidate sets, as above."""
        return self._ablated_for_certain > 1

    @property
    def _ablated_for_certain(self) -> int:
        return sum(pair[0] not in self.maybe_unavailable for pair in self.ablated)

    def used_by_stage(self, stage: str) -> list[str]:
        """Return the trained systems that a first stage uses, itself or through a fusion."""
        spec = self.first_stages[stage]
        fused = (used for name in spec.names_of_fused() for used in self.used_by_stage(name))
        return sorted({*spec.trained_models(), *fused})

    def stages_of(self, collection: str) -> list[str]:
        """Return the first stages that a collection is evaluated under."""
        return self.collections[collection].stages(self.suite.first_stages)

    def seeds_of(self, system: str) -> list[int]:
        """Return the seeds of a system's runs.

        A system that is not trained has the seeds of the trained models that it uses, and otherwise
        the one seed 0. An untrained self that uses such models, or that may have random weights,
        has the seeds of its trained systems.
        """
        spec = self.systems[system]
        if spec.training is not None:
            return spec.seeds if spec.seeds is not None else self.suite.seeds
        followed = used_models(spec.options)
        trained = [name for name, untrained in self.untrained.items() if untrained == system]
        if trained and (followed or _may_start_random(spec)):
            followed = trained
        return list(dict.fromkeys(s for name in followed for s in self.seeds_of(name))) or [0]

    def used_seed(self, used: str, seed: int | str | None) -> int:
        """Return the seed of a trained model that a system with a seed uses.

        It is the same seed, or the model's first if it has no such seed.
        """
        seeds = self.seeds_of(used)
        return next((s for s in seeds if str(s) == str(seed)), seeds[0])

    def label(self, system: str) -> str:
        """Return a system's name in tables and figures, with a note if its weights are random."""
        spec = self.systems[system]
        named = spec.label or system
        note = _random_weights(spec)
        if spec.training is not None or note is None:
            return named
        return f"{named} ({note})" if system in self.companions else f"{named} (untrained: {note})"

    @property
    def labels(self) -> dict[str, str]:
        """Every system's name in tables and figures."""
        return {name: self.label(name) for name in self.systems}

    def reranks(self, system: str) -> bool:
        """Return whether a system changes the first stage's order."""
        return self.systems[system].reranker.reorders

    def is_optional(self, collection: str) -> bool:
        """Return whether the suite skips a collection that is unavailable."""
        if self.suite.optional is not None:
            return collection in self.suite.optional
        return self.collections[collection].optional

    @property
    def maybe_unavailable(self) -> list[str]:
        """Return the optional collections that are not fetched yet; the fetch may fail."""
        if self.still_to_fetch is not None:
            return self.still_to_fetch
        return [
            name
            for name in self.suite.collections
            if self.is_optional(name) and self.collections[name].out_of_reach()
        ]

    @property
    def costs_alone(self) -> bool:
        """Whether models have random weights: costs are meaningful then, scores are not."""
        from resrank.efficiency.costs import is_random

        return any(is_random(spec) for spec in self.systems.values())

    @property
    def judges(self) -> list[str]:
        """The systems that give grades, whose calibration is measured; none if `costs_alone`."""
        named = [] if self.costs_alone else self.suite.systems
        return [name for name in named if self.systems[name].reranker.grades]

    @property
    def timed(self) -> list[str]:
        """The systems whose cost is measured: not companions, nor those that replay answers."""
        specs = {name: self.systems[name] for name in self._given_systems}
        return [name for name, s in specs.items() if not s.typed_options.is_replayed]

    @property
    def list_readers(self) -> list[str]:
        """The systems that read lists, by windows or at once; none if `costs_alone`."""
        named = [] if self.costs_alone else self._given_systems
        return [name for name in named if self.systems[name].reranker.reads_lists]

    @property
    def _given_systems(self) -> list[str]:
        """The compared systems without companions."""
        return [name for name in self.suite.systems if name in self.given.systems]

    @property
    def trained(self) -> list[str]:
        """The systems that the suite trains, each after those that it uses."""
        ordered: dict[str, None] = {}

        def add(system: str) -> None:
            for used in systems_below(self.systems[system]):
                add(used)
            if self.systems[system].training is not None:
                ordered[system] = None

        for name in self.suite.systems:
            add(name)
        return list(ordered)

    @property
    def teachers(self) -> list[str]:
        """The systems that teach others, sorted."""
        return sorted({name for spec in self.systems.values() for name in teachers_of(spec)})

    def teaching(self, teacher: str) -> list[tuple[str, str, TeacherWork]]:
        """Return (collection, first stage, work) of the training lists that a system orders."""
        work = {
            (collection, spec.trained_with, part)
            for pupil, spec in self.systems.items()
            if spec.typed_training is not None
            for collection in self.trained_on(pupil)
            for part in spec.typed_training.teachers
            if part.system == teacher
        }
        return sorted(work, key=str)

    def learns_from(self, system: str) -> list[str]:
        """Return the collections that a system, its teachers or the models in it learn from."""
        return list(dict.fromkeys(read.collection for read in self.read_in_training(system)))

    def read_in_training(self, system: str) -> list[ReadCollection]:
        """Return what a system, its teachers and the models in it read of their collections."""
        spec = self.systems[system]
        training = spec.typed_training
        read = []
        if training is not None:
            text = (training.needs_labels, training.pseudo_queries)
            read = [ReadCollection(name, *text) for name in self.trained_on(system)]
        read += [part for used in systems_below(spec) for part in self.read_in_training(used)]
        return list(dict.fromkeys(read))

    @property
    def only_learned_from(self) -> list[str]:
        """Collections that are not evaluated, but that systems or first stages learn from."""
        below = [used for _, stage in self.pairs for used in self.used_by_stage(stage)]
        sources = {c for name in self.suite.systems + below for c in self.learns_from(name)}
        return sorted(sources - set(self.suite.collections))

    def trained_on(self, system: str) -> list[str]:
        """Return the collections that a trained system learns from, sorted by name."""
        return list(self.mixture(system))

    def mixture(self, system: str) -> dict[str, float]:
        """Return the collections that a trained system learns from, each with its weight."""
        weights = self.systems[system].weights
        named = {self._automatic(system): 1.0} if AUTO in weights else weights
        return dict(sorted(named.items()))

    def _automatic(self, system: str) -> str:
        """Return the collection that a system learns from if its entry names none.

        Without one in the suite it is docstrings, with the task that has grades if the system gives
        grades.
        """
        training = self.systems[system].typed_training
        unlabelled = training is not None and not training.needs_labels
        for name in self.suite.collections:
            if unlabelled or self.collections[name].has_train_split():
                return name
        return "docstrings_related" if self.systems[system].reranker.grades else "docstrings"


def _random_weights(spec: System) -> str | None:
    """Return which weights of a system are random until it is trained, or None."""
    options = spec.typed_options
    if made_here(options.model_dump()):
        return "random weights"
    return f"{options.random_part} of random weights" if options.random_part else None


def _may_start_random(spec: System) -> bool:
    """Return whether a part of a system may be random until it is trained, by its options alone."""
    options = spec.typed_options
    return options.may_start_random or made_here(options.model_dump())


def made_here(options: Any) -> bool:
    """Return whether options hold a model that is made here with random weights.

    Such a model is given by a shape, or by `random:` and the name of a published model. A language
    model made of an encoder has a new head. A reranker made of one has pretrained weights alone.
    """
    if isinstance(options, list | tuple):
        return any(map(made_here, options))
    if not isinstance(options, Mapping):
        return False
    model, reranker = options.get("model"), options.get("reranker")
    pretrained = isinstance(reranker, Mapping) and "encoder" in reranker
    made = isinstance(model, Mapping) or (isinstance(reranker, Mapping) and not pretrained)
    made = made or any(str(name).startswith(RANDOM) for name in (model, reranker))
    return made or any(made_here(value) for value in options.values())
