"""What the jobs on a system have in common: the system, and the collections that it reads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resrank.efficiency.tokenizers import tokenizers_of
from resrank.io.candidates import candidate_lists
from resrank.io.collection import Collection
from resrank.io.hashing import in_hash_order
from resrank.io.manifest import check_model, manifest_of
from resrank.model.model_files import model_file_facts
from resrank.ranking import Request
from resrank.records import Split
from resrank.reranker import Reranker
from resrank.suite.schema import System


@dataclass(frozen=True, kw_only=True)
class SystemJob(ABC):
    """A job that runs or trains one system.

    name: the system's name in the suite.
    system: its entry, in which every `trained:<name>` is replaced by that model's folder.
    used_models: manifests of the trained models that the system depends on, not its own.
    out: the main file to write, or the model's folder; other files are written beside it.
    """

    name: str
    system: System
    out: Path
    used_models: Sequence[Path] = ()

    @property
    @abstractmethod
    def data(self) -> dict[str, Path | str]:
        """Return the collections and candidates that the job reads, for a manifest's inputs."""

    def inputs(
        self, model: Path | None = None, files: Sequence[Path] = ()
    ) -> dict[str, Path | str]:
        """Return what the output depends on, for its manifest; models by their manifests.

        model: the folder of the system's own trained model; files: the user's files that the
        configuration names.
        """
        inputs = self.data | {str(path): path for path in files}
        inputs |= {f"{path.parent.name}/{path.name}": path for path in self.used_models}
        return inputs if model is None else inputs | {"model": manifest_of(model)}

    @property
    def model_files(self) -> dict[str, Any]:
        """Return the manifest's entry about the GGUF files that the options name; empty if none."""
        return model_file_facts(self.system.typed_options.model_dump(mode="json"))

    def tokenizers(self) -> dict[str, Any]:
        """Return what result files state of tokenizers; nothing if every model brings its own."""
        used = tokenizers_of(self.system)
        return {"tokenizers": used} if used else {}


@dataclass(frozen=True, kw_only=True)
class RankingJob(SystemJob):
    """A job that runs one system on one collection's candidates.

    candidates: the frozen lists (parquet).
    """

    collection: Collection
    candidates: Path

    @property
    def data(self) -> dict[str, Path | str]:
        """Return the collection and its candidates."""
        return {"collection": self.collection.hash, "candidates": self.candidates}

    def test_requests(self) -> list[Request]:
        """Return every test query, by id, with its candidates (an empty list if it has none)."""
        lists = candidate_lists(self.collection, self.candidates, Split.TEST)
        return [(q, lists.get(q.id, [])) for q in self.collection.queries(Split.TEST)]


def load(system: System, model: Path | None, seed: int = 0) -> Reranker:
    """Build a system from its entry, with its trained model if it has one.

    seed: of an untrained system's random weights.
    """
    if model is not None:
        check_model(model)
    return system.load(model, seed)


def in_sample_order(requests: Iterable[Request]) -> list[Request]:
    """Return the requests by a hash of their query's id, so that the first n are a fixed sample.

    The hash covers the id and a line break, as it always did: without it the sample would change.
    """
    return in_hash_order(requests, lambda request: f"{request[0].id}\n")
