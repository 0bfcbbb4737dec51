"""Cosine of query and passage embeddings (Reimers and Gurevych, EMNLP 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from resrank.efficiency.work import Asked, Pass, embedded, expected_embeddings
from resrank.io.atomic import atomic_folder, write_json
from resrank.model.embeds_passages import EmbedsPassages
from resrank.model.options import EncoderOptions
from resrank.records import Ranking, TrainingExample, Usage
from resrank.reranker import Bench, Expected, Request
from resrank.training.options import EncoderTraining

if TYPE_CHECKING:
    from resrank.model.encoder import Encoder


class BiEncoder(EmbedsPassages):
    """Any sentence-transformers or Hugging Face encoder; passages can be embedded beforehand."""

    Options = EncoderOptions
    Training = EncoderTraining
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
        """The encoder whose passage embeddings can be stored: this one, trained or not."""
        return options.model_copy(update={"model": model_dir}) if model_dir else options

    @staticmethod
    def passes(options: EncoderOptions, usage: Usage, candidates: int) -> list[Pass]:
        """Passages and the query, embedded."""
        return embedded(options.model, usage, candidates)

    @staticmethod
    def expected(options: EncoderOptions, asked: Asked) -> Usage:
        """The usage of a ranking that has not been made."""
        return expected_embeddings(options, asked) + Usage(model_calls=1)

    def expects(self, candidates: int) -> Expected:
        """The query is embedded by one call, each passage once."""
        return Expected(
            model_calls=1, generated_tokens=0, embedding_slots=0, encoded_passages=candidates
        )

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Embed all queries in batches, then rank each one's candidates."""
        from resrank.model.passage_embeddings import by_cosine

        return by_cosine(self.embeddings, requests)

    @classmethod
    def train(
        cls,
        options: EncoderOptions,
        training: EncoderTraining,
        train: Sequence[TrainingExample],
        dev: Sequence[TrainingExample],
        out: Path,
        seed: int,
        bench: Bench,
    ) -> None:
        """Train the encoder with InfoNCE and save it under `out`."""
        from resrank.model.device import set_seeds
        from resrank.model.encoder import Encoder
        from resrank.training.checkpoints import Checkpoints
        from resrank.training.encoder_loop import train_encoder
        from resrank.training.processes import processes

        set_seeds(seed)
        encoder = Encoder.from_options(options.model_copy(update={"dtype": "float32"}))
        checkpoints = Checkpoints(bench.checkpoints, bench.key)
        counts = train_encoder(encoder, train, training, seed, checkpoints, bench.on_step)
        if not processes().is_main:
            return
        with atomic_folder(out) as folder:
            encoder.save_pretrained(folder)
            about = {"seed": seed, "training": training.model_dump(), **counts}
            write_json(folder / "provenance.json", about)
