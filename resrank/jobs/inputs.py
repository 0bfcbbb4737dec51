"""What several jobs read: a reranker, its requests, and the hashes of their inputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from resrank.io.candidate_lists import candidate_lists
from resrank.io.collection import Collection
from resrank.io.hashing import in_hash_order
from resrank.io.manifest import check_model
from resrank.ranking import Request
from resrank.records import Split
from resrank.reranker import Reranker
from resrank.suite.schema import System


def inputs_of(
    collection: Collection, candidates: Path, parts: Sequence[Path], model: Path | None = None,
    files: Sequence[Path] = (),
) -> dict[str, Path | str]:  # fmt: skip
    """What a job's output depends on, for its manifest; models by their manifests.

    files: the user's own, that the configuration names.
    """
    inputs: dict[str, Path | str] = {"collection": collection.hash, "candidates": candidates}
    inputs |= {str(path): path for path in files}
    inputs |= {f"{part.parent.name}/{part.name}": part for part in parts}
    if model is not None:
        inputs["model"] = model.parent / f"{model.name}.manifest.json"
    return inputs


def load(spec: System, model: Path | None) -> Reranker:
    """Build a system from its entry, with its trained model if it has one."""
    if model is not None:
        check_model(model)
    return spec.load(model)


def test_requests(collection: Collection, candidates: Path) -> list[Request]:
    """Every test query, by id, with its candidates (an empty list if it has none)."""
    lists = candidate_lists(collection, candidates, Split.TEST)
    return [(q, lists.get(q.id, [])) for q in collection.queries(Split.TEST)]


def in_sample_order(requests: Iterable[Request]) -> list[Request]:
    """Return the requests by a hash of their query's id, so that the first n are a fixed sample.

    The hash covers the id and a line break, as it always did: without it the sample would change.
    """
    return in_hash_order(requests, lambda request: f"{request[0].id}\n")
