"""ResRank behind the reranker contract: batches of queries, usage, training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from resrank.efficiency.common_work import (
    decoder_of,
    embedded,
    estimated_embeddings,
    text_tokens,
)
from resrank.model.embeds_passages import EmbedsPassages
from resrank.model.options import DtypeName, EncoderOptions, ResRankOptions, SavedOptions
from resrank.ranking import Request, by_windows, ranked
from resrank.records import Ranking, TrainingExample, Usage
from resrank.reranker import DeclaredCounts, TrainingData, TrainingJob
from resrank.reranker_options import RerankerOptions
from resrank.training.mixture import choose
from resrank.training.options import ResRankTraining, TrainingStage
from resrank.windows import window_sizes
from resrank.work import ModelRef, Pass, QueryShape, Work

if TYPE_CHECKING:
    from resrank.model.resrank import ResRank


class SavedResRank(EmbedsPassages):
    """A saved ResRank: one embedding per passage, one forward pass per query, no generated token.

    Facts 1 to 5 of docs/papers.md.
    """

    Options: ClassVar[type[RerankerOptions]] = SavedOptions
    reads_lists = True

    def __init__(self, model: ResRank) -> None:
        from resrank.model.passage_embeddings import PassageEmbeddings

        self.model = model
        self.embeddings = PassageEmbeddings(model.encoder)

    @classmethod
    def load(cls, options: Any, model_dir: Path | None = None) -> Self:
        """Load the model that the options name."""
        from resrank.model.resrank import ResRank

        model = ResRank.from_pretrained(
            options.model, options.revision, instruction=options.instruction
        )
        chosen = {"window": options.window, "batch_queries": options.batch_queries}
        model.options = model.options.model_copy(update=chosen)
        encoder = model.encoder.options
        chosen = {"store_dtype": options.store_dtype}
        chosen |= {"max_tokens": options.max_tokens or encoder.max_tokens}
        model.encoder.options = encoder.model_copy(update=chosen)
        return cls(model)

    @property
    def dtype(self) -> str:
        """Return the number formats of encoder and reranker."""
        from resrank.model.device import number_format

        return number_format(self.model.encoder, self.model.reranker)

    @staticmethod
    def passes(options: Any, usage: Usage, candidates: int) -> list[Pass] | None:
        """Return the passes of encoder and reranker, which share the model's folder."""
        return _passes(f"{options.model}/encoder", f"{options.model}/reranker", usage, candidates)

    @staticmethod
    def estimate_usage(options: Any, shape: QueryShape) -> Usage:
        """Return the usage of a typical ranking, with defaults for options that were not set."""
        limit = max(8, options.max_tokens or shape.passage_tokens)
        encoder = EncoderOptions(max_tokens=limit)
        assumed = ResRankOptions(encoder=encoder, window=options.window)
        return ResRankSystem.estimate_usage(assumed, shape)

    def declared_counts(self, candidates: int) -> DeclaredCounts:
        """Return one call per list or window, one slot per passage, and no generated token."""
        sizes = window_sizes(candidates, self.model.options.window)
        slots = sum(sizes) + len(sizes) * self.model.options.query_slot
        return DeclaredCounts(len(sizes), 0, slots, encoded_passages=candidates)

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Rank many queries, `batch_queries` in a forward pass."""
        size = self.model.options.batch_queries
        rankings: list[Ranking] = []
        for start in range(0, len(requests), size):
            rankings += self._rerank_batch(requests[start : start + size])
        return rankings

    def by_encoder(self, requests: Sequence[Request]) -> list[Ranking]:
        """Rank by the cosine of the encoder's embeddings."""
        from resrank.model.passage_embeddings import by_cosine

        return by_cosine(self.embeddings, requests)

    def _rerank_batch(self, requests: Sequence[Request]) -> list[Ranking]:
        from resrank.model.compressed_lists import CompressedLists

        lists = CompressedLists(self.model, self.embeddings, requests)
        window = self.model.options.window
        if window is not None:
            return by_windows(
                requests,
                window,
                lists.usages,
                lambda windows: [_order(scores) for scores in lists.scores(windows)],
            )
        whole = [[(i, place) for place in range(len(c))] for i, (_, c) in enumerate(requests)]
        return [
            ranked(query, candidates, scores, usage)
            for (query, candidates), scores, usage in zip(
                requests, lists.scores(whole), lists.usages, strict=True
            )
        ]


class ResRankSystem(SavedResRank):
    """A ResRank that is built from its parts and trained."""

    Options = ResRankOptions
    Training = ResRankTraining
    instructed = frozenset({"query_instruction", "instruction"})

    @classmethod
    def load(cls, options: Any, model_dir: Path | None = None) -> Self:
        """Load a trained model from `model_dir`, or build one as the options describe it.

        A trained model follows these options too: their batches and number formats may differ from
        those it was saved with.
        """
        from resrank.model.resrank import ResRank

        if model_dir is None:
            return cls.start(options, 0)
        return cls(ResRank.from_pretrained(model_dir, options=options))

    @classmethod
    def start(cls, options: Any, seed: int) -> Self:
        """Build the model as the options describe it; a new decoder's weights follow the seed."""
        from resrank.model.device import set_seeds
        from resrank.model.resrank import ResRank

        set_seeds(seed)
        return cls(ResRank.from_options(options).eval())

    @staticmethod
    def passes(options: Any, usage: Usage, candidates: int) -> list[Pass] | None:
        """Return the encoder's passes, then the reranker's over each list or window."""
        return _passes(options.encoder.named, decoder_of(options), usage, candidates)

    @staticmethod
    def estimate_usage(options: Any, shape: QueryShape) -> Usage:
        """Return the usage of embedding the passages and reading each list or window once."""
        usage = estimated_embeddings(options.encoder, shape, query=options.query_slot)
        sizes = window_sizes(shape.candidates, options.window)
        query = min(shape.query_tokens, options.max_query_tokens)
        fixed = text_tokens(options.instruction, options.closing) + (not options.query_slot)
        usage.prompt_tokens += len(sizes) * (query + fixed)
        usage.embedding_slots = sum(sizes) + len(sizes) * options.query_slot
        usage.model_calls = len(sizes)
        return usage

    @staticmethod
    def encoder_options(
        options: ResRankOptions, training: ResRankTraining | None, model_dir: str | None
    ) -> EncoderOptions:
        """Return the encoder that compresses passages: the trained one if training changed it."""
        if training is None or not training.trains_encoder:
            return options.encoder
        return options.encoder.model_copy(update={"model": f"{model_dir}/encoder"})

    @classmethod
    def train(
        cls,
        options: ResRankOptions,
        training: ResRankTraining,
        data: TrainingData,
        out: Path,
        job: TrainingJob,
    ) -> None:
        """Train in stages and save under `out`.

        Raises ValueError if a stage needs dev queries and the collection has none.
        """
        from resrank.model.device import set_seeds
        from resrank.training.lora import merge
        from resrank.training.processes import processes
        from resrank.training.resrank_loop import train_stages
        from resrank.training.sharded_tensors import load_weights

        run = processes()
        set_seeds(job.seed)
        _check_dev_queries(training, data)
        model = _build(options, training)
        run.shard(model.reranker.model)
        if training.trains_encoder:
            run.shard(model.encoder.model)
        evaluate = partial(cls(model)._dev_score, data.dev, job) if job.dev_score else None
        counts = train_stages(model, data, training, job, evaluate)
        if run.sharded:
            weights = run.on_main(model.named_parameters())
            if not run.is_main:
                run.wait()
                return
            on_host = {"encoder": options.encoder.model_copy(update={"device": "cpu"})}
            model = _build(options.model_copy(update=on_host), training)
            load_weights(model, weights)
        merge(model, training)
        if run.is_main:
            model.save_pretrained(
                out,
                encoder_trained=training.trains_encoder,
                seed=job.seed,
                training=training.model_dump(mode="json"),
                stages=counts,
                **({"instructions": dict(job.instructions)} if job.instructions else {}),
            )
        run.wait()

    def _dev_score(
        self, dev: Sequence[TrainingExample], job: TrainingJob, stage: TrainingStage
    ) -> float:
        """Return the dev score of a sample of the dev queries, with the current weights."""
        from resrank.training.processes import processes

        assert job.dev_score is not None
        sample = choose(dev, stage.dev_queries, np.random.default_rng([job.seed]))
        each_once = {example.query.id: example for example in sample}.values()
        requests = [(example.query, example.candidates) for example in each_once]
        self.forget()
        if not (stage.train_encoder or processes().sharded):
            self.prepare((c.passage for _, listed in requests for c in listed), job.store)
        return job.dev_score(self.rerank_many(requests))


def _check_dev_queries(training: ResRankTraining, data: TrainingData) -> None:
    if not data.dev and training.uses_dev_queries:
        raise ValueError(
            "a stage has `dev_queries`, but the training collection has no dev query; set it "
            "to 0 or name another collection in `trained_on`"
        )


def _build(options: ResRankOptions, training: ResRankTraining) -> ResRank:
    """Build the model to be trained, in float32, with adapters if the training uses them."""
    from resrank.model.resrank import ResRank
    from resrank.training.lora import adapt

    encoder_dtype: DtypeName | None = "float32" if training.trains_encoder else None
    model = ResRank.from_options(options, encoder_dtype, "float32")
    adapt(model, training)
    return model


def _passes(encoder: ModelRef, reranker: ModelRef, usage: Usage, candidates: int) -> list[Pass]:
    """Return the encoder's passes, then the reranker's over tokens and embeddings."""
    positions = usage.prompt_tokens - usage.query_encoder_tokens + usage.embedding_slots
    return [
        *embedded(encoder, usage, candidates),
        Pass(reranker, Work(usage.model_calls, positions)),
    ]


def _order(scores: Sequence[float]) -> list[int]:
    """Return the indices of scores, best first; ties keep their order."""
    return sorted(range(len(scores)), key=lambda place: -scores[place])
