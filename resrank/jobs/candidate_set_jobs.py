"""The jobs that make or evaluate one candidate set, with all that they read and write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from resrank.candidates.base import FirstStageKind
from resrank.evaluation.candidate_set import CandidateSet
from resrank.evaluation.seen_collection import SeenCollection
from resrank.io.collection import Collection
from resrank.io.passage_table import PassageTable
from resrank.model.options import EncoderOptions
from resrank.shards import Shard


@dataclass(frozen=True, kw_only=True)
class FreezeJob:
    """Freezes a first stage's candidate lists in `out`; see `resrank.candidates.freeze`."""

    collection: Collection
    stage: FirstStageKind
    out: Path
    store: Path
    fused: Mapping[str, Path]
    shard_stores: Sequence[Path]

    def run(self) -> None:
        """Write the lists and their manifest."""
        from resrank.candidates.freeze import freeze

        freeze(self.collection, self.stage, self.out, self.store, self.fused, self.shard_stores)


@dataclass(frozen=True, kw_only=True)
class EmbedJob:
    """Embeds a shard of every passage for a dense first stage; `out` is its completion file."""

    passages: PassageTable
    encoder: EncoderOptions
    store: Path
    shard: Shard
    out: Path

    def run(self) -> None:
        """Write the embeddings into `store`, then `out`."""
        from resrank.candidates.dense_index import embed_shard

        embed_shard(self.passages, self.encoder, self.store, self.shard, self.out)


@dataclass(frozen=True, kw_only=True)
class ScoreJob:
    """Scores and audits the runs of a candidate set.

    runs: by (system, seed). trained_on: system -> the collections that it was trained on.
    """

    candidate_set: CandidateSet
    runs: Mapping[tuple[str, int], Path]
    metrics: Sequence[str]
    trained_on: Mapping[str, Sequence[SeenCollection]]
    out: Path
    audits: Path

    def run(self) -> None:
        """Write the scores and the audits."""
        from resrank.evaluation.score import score_runs

        score_runs(
            self.candidate_set, self.runs, self.metrics, self.trained_on, self.out, self.audits
        )


@dataclass(frozen=True, kw_only=True)
class CalibrationJob:
    """Compares the grades in runs, by (system, seed), with those of judged passages."""

    collection: Collection
    candidates: Path
    runs: Mapping[tuple[str, int], Path]
    out: Path

    def run(self) -> None:
        """Write the measures and their manifest."""
        from resrank.evaluation.calibration import calibrate_runs

        calibrate_runs(self.collection, self.candidates, self.runs, self.out)
