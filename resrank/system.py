"""ResRank as a reranker under the harness: batches of queries, usage, training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from resrank.model.options import EncoderOptions, ResRankOptions
from resrank.records import Candidate, Passage, Query, Ranking, TrainingExample, Usage
from resrank.reranker import Bench, Request, ranked
from resrank.training.options import ResRankTraining

if TYPE_CHECKING:
    from resrank.model.resrank import ResRank


class ResRankSystem:
    """One embedding a passage, one forward pass a query, no generated token."""

    Options = ResRankOptions
    Training = ResRankTraining

    def __init__(self, model: ResRank) -> None:
        from resrank.model.passage_embeddings import PassageEmbeddings

        self.model = model
        self.embeddings = PassageEmbeddings(model.encoder)

    @classmethod
    def load(cls, options: ResRankOptions, model_dir: Path | None = None) -> Self:
        """A trained model from `model_dir`, or one as the options describe it."""
        from resrank.model.resrank import ResRank

        if model_dir is None:
            return cls(ResRank.from_options(options).eval())
        return cls(ResRank.from_pretrained(model_dir))

    @staticmethod
    def encoder_options(
        options: ResRankOptions, training: ResRankTraining | None, model_dir: str | None
    ) -> EncoderOptions:
        """The encoder that compresses passages: its own if training reached it."""
        if training is None or not training.trains_encoder:
            return options.encoder
        return options.encoder.model_copy(update={"model": f"{model_dir}/encoder"})

    @property
    def dtype(self) -> str:
        """Number formats of encoder and reranker."""
        formats = (self.model.encoder.dtype, next(self.model.reranker.parameters()).dtype)
        return " + ".join(str(f).removeprefix("torch.") for f in formats)

    def prepare(self, passages: Iterable[Passage], folder: Path) -> Usage:
        """Compress passages ahead of time into the store in `folder`."""
        return self.embeddings.prepare(passages, folder)

    def forget(self) -> None:
        """Compress passages anew for every ranking."""
        self.embeddings.forget()

    def rerank(self, query: Query, candidates: Sequence[Candidate]) -> Ranking:
        """Rank one query's candidates in one forward pass."""
        return self.rerank_many([(query, candidates)])[0]

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Rank many queries, `batch_queries` in a forward pass."""
        size = self.model.options.batch_queries
        rankings: list[Ranking] = []
        for start in range(0, len(requests), size):
            rankings += self._rerank_batch(requests[start : start + size])
        return rankings

    def _rerank_batch(self, requests: Sequence[Request]) -> list[Ranking]:
        import torch

        from resrank.model.resrank import Lists

        blocks, usages = [], []
        for _, candidates in requests:
            vectors, usage = self.embeddings([c.passage for c in candidates])
            blocks.append(torch.from_numpy(vectors))
            usages.append(usage)
        prompts = [self.model.query_tokens(query.text)[0] for query, _ in requests]
        slots = None
        if self.model.options.query_slot:
            queries = self.model.encoder.tokenize([q.text for q, _ in requests], query=True).ids
            slots = self.model.encoder.embed_ids(queries)
            for usage, ids in zip(usages, queries, strict=True):
                usage.prompt_tokens += len(ids)
        with torch.inference_mode():
            scores = self.model(Lists(prompts, slots, blocks))
        rankings = []
        for (query, candidates), usage, ids, values in zip(
            requests, usages, prompts, scores, strict=True
        ):
            usage.prompt_tokens += len(ids) + 1  # the closing token
            usage.embedding_slots += len(candidates) + (slots is not None)
            usage.model_calls += 1
            rankings.append(ranked(query, candidates, values.cpu().numpy(), usage))
        return rankings

    @classmethod
    def train(
        cls,
        options: ResRankOptions,
        training: ResRankTraining,
        train: Sequence[TrainingExample],
        dev: Sequence[TrainingExample],
        out: Path,
        seed: int,
        bench: Bench,
    ) -> None:
        """Train in stages and save under `out`."""
        from resrank.model.device import set_seeds
        from resrank.model.resrank import ResRank
        from resrank.training.resrank_loop import train_stages

        set_seeds(seed)
        tuned = training.trains_encoder
        model = ResRank.from_options(options, encoder_dtype="float32" if tuned else None)
        counts = train_stages(model, train, training, seed, bench)
        model.save_pretrained(
            out, encoder_trained=tuned, seed=seed, training=training.model_dump(), stages=counts
        )
