"""Cosine of query and passage embeddings (Reimers and Gurevych, EMNLP 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from resrank.efficiency.common_work import embedded, estimated_embeddings
from resrank.io.atomic import atomic_folder, write_json
from resrank.model.embeds_passages import EmbedsPassages
from resrank.model.options import EncoderOptions
from resrank.ranking import Request
from resrank.records import Ranking, Usage
from resrank.reranker import DeclaredCounts, TrainingData, TrainingJob
from resrank.training.options import EncoderTraining
from resrank.work import Pass, QueryShape

if TYPE_CHECKING:
    from resrank.model.encoder import Encoder


class BiEncoder(EmbedsPassages):
    """Any sentence-transformers or Hugging Face encoder; its passage embeddings can be stored."""

    Options = EncoderOptions
    Training = EncoderTraining
    instructed = frozenset({"query_instruction"})
    reads_queries_together = True

    def __init__(self, encoder: Encoder) -> None:
        from resrank.model.passage_embeddings import PassageEmbeddings

        self.encoder = encoder
        self.embeddings = PassageEmbeddings(encoder)

    @classmethod
    def load(cls, options: EncoderOptions, model_dir: Path | None = None) -> Self:
        """Load the encoder that was trained, or the one that the options name."""
        from resrank.model.encoder import Encoder

        if model_dir is not None:
            options = options.model_copy(update={"model": str(model_dir), "revision": None})
        return cls(Encoder.from_options(options))

    @staticmethod
    def encoder_options(
        options: EncoderOptions, training: EncoderTraining | None, model_dir: str | None
    ) -> EncoderOptions:
        """Return this encoder, trained or not, whose passage embeddings can be stored."""
        return options.model_copy(update={"model": model_dir}) if model_dir else options

    @staticmethod
    def passes(options: EncoderOptions, usage: Usage, candidates: int) -> list[Pass]:
        """Return the passes that embed the passages and the query."""
        return embedded(options.named, usage, candidates)

    @staticmethod
    def estimate_usage(options: EncoderOptions, shape: QueryShape) -> Usage:
        """Return the usage of embedding the passages and the query."""
        return estimated_embeddings(options, shape) + Usage(model_calls=1)

    def declared_counts(self, candidates: int) -> DeclaredCounts:
        """Return one call for the query, and one embedding per passage."""
        return DeclaredCounts(
            model_calls=1, generated_tokens=0, embedding_slots=0, encoded_passages=candidates
        )

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Embed all queries in batches, then rank each query's candidates."""
        from resrank.model.passage_embeddings import by_cosine

        return by_cosine(self.embeddings, requests)

    @classmethod
    def train(
        cls,
        options: EncoderOptions,
        training: EncoderTraining,
        data: TrainingData,
        out: Path,
        job: TrainingJob,
    ) -> None:
        """Train the encoder with InfoNCE and save it under `out`."""
        from resrank.model.device import set_seeds
        from resrank.model.encoder import Encoder
        from resrank.training.encoder_loop import train_encoder
        from resrank.training.processes import processes

        set_seeds(job.seed)
        encoder = Encoder.from_options(options.model_copy(update={"dtype": "float32"}))
        counts = train_encoder(encoder, data, training, job)
        if not processes().is_main:
            return
        with atomic_folder(out) as folder:
            encoder.save_pretrained(folder)
            about = {"seed": job.seed, "training": training.model_dump(), **counts}
            write_json(folder / "provenance.json", about)
