"""ResRank as a reranker under the harness: batches of queries, usage, training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from resrank.efficiency.work import (
    Asked,
    Model,
    Pass,
    Work,
    decoder_of,
    embedded,
    expected_embeddings,
    text_tokens,
)
from resrank.model.embeds_passages import EmbedsPassages
from resrank.model.options import DtypeName, EncoderOptions, ResRankOptions, SavedOptions
from resrank.model.out_of_memory import in_halves
from resrank.options import Strict
from resrank.records import Ranking, TrainingExample, Usage
from resrank.reranker import Bench, Expected, Listed, Request, by_windows, ranked
from resrank.training.lists import choose
from resrank.training.options import ResRankTraining, Stage
from resrank.windows import window_sizes

if TYPE_CHECKING:
    from torch import Tensor

    from resrank.model.passage_embeddings import PassageEmbeddings
    from resrank.model.resrank import ResRank


class SavedResRank(EmbedsPassages):
    """A ResRank that was saved: one embedding a passage, one forward pass a query, no generated
    token."""

    Options: ClassVar[type[Strict]] = SavedOptions

    def __init__(self, model: ResRank) -> None:
        from resrank.model.passage_embeddings import PassageEmbeddings

        self.model = model
        self.embeddings = PassageEmbeddings(model.encoder)

    @classmethod
    def load(cls, options: Any, model_dir: Path | None = None) -> Self:
        """The model that the options name."""
        from resrank.model.resrank import ResRank

        model = ResRank.from_pretrained(options.model, options.revision)
        again = {"window": options.window, "batch_queries": options.batch_queries}
        model.options = model.options.model_copy(update=again)
        own = model.encoder.options
        read = {"store_dtype": options.store_dtype}
        read |= {"max_tokens": options.max_tokens or own.max_tokens}
        model.encoder.options = own.model_copy(update=read)
        return cls(model)

    @property
    def dtype(self) -> str:
        """Number formats of encoder and reranker."""
        from resrank.model.device import number_format

        return number_format(self.model.encoder, self.model.reranker)

    @staticmethod
    def passes(options: Any, usage: Usage, candidates: int) -> list[Pass] | None:
        """The parts' passes; they lie beside each other in a model's folder."""
        return _passes(f"{options.model}/encoder", f"{options.model}/reranker", usage, candidates)

    @staticmethod
    def expected(options: Any, asked: Asked) -> Usage:
        """The usage of a ranking that has not been made, with what was not chosen anew unset."""
        limit = max(8, options.max_tokens or asked.passage_tokens)
        encoder = EncoderOptions(max_tokens=limit)
        return ResRankSystem.expected(ResRankOptions(encoder=encoder, window=options.window), asked)

    def expects(self, candidates: int) -> Expected:
        """One call a list, or a window; a slot a passage; no generated token."""
        sizes = window_sizes(candidates, self.model.options.window)
        slots = sum(sizes) + len(sizes) * self.model.options.query_slot
        return Expected(len(sizes), 0, slots, encoded_passages=candidates)

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
        batch = _Batch(self.model, self.embeddings, requests)
        window = self.model.options.window
        if window is not None:
            return by_windows(
                requests, window, batch.usages, lambda w: [_order(s) for s in batch.scores(w)]
            )
        whole = [[(i, place) for place in range(len(c))] for i, (_, c) in enumerate(requests)]
        return [
            ranked(query, candidates, values, usage)
            for (query, candidates), values, usage in zip(
                requests, batch.scores(whole), batch.usages, strict=True
            )
        ]


class ResRankSystem(SavedResRank):
    """A ResRank that is built from its parts and trained."""

    Options: ClassVar[type[Strict]] = ResRankOptions
    Training = ResRankTraining

    @classmethod
    def load(cls, options: Any, model_dir: Path | None = None) -> Self:
        """A trained model from `model_dir`, or one as the options describe it.

        A trained one is served as these options say, which may have other batches or number
        formats than those it was saved with.
        """
        from resrank.model.device import set_seeds
        from resrank.model.resrank import ResRank

        if model_dir is None:
            set_seeds(0)  # a decoder made here has random weights, the same in each run
            return cls(ResRank.from_options(options).eval())
        return cls(ResRank.from_pretrained(model_dir, options=options))

    @staticmethod
    def passes(options: Any, usage: Usage, candidates: int) -> list[Pass] | None:
        """Passages and, where it has a slot, the query embedded; then one pass a list or window."""
        return _passes(options.encoder.model, decoder_of(options), usage, candidates)

    @staticmethod
    def expected(options: Any, asked: Asked) -> Usage:
        """The usage of a ranking that has not been made."""
        usage = expected_embeddings(options.encoder, asked, query=options.query_slot)
        sizes = window_sizes(asked.candidates, options.window)
        asks = min(asked.query_tokens, options.max_query_tokens)
        fixed = text_tokens(options.instruction, options.closing) + (not options.query_slot)
        usage.prompt_tokens += len(sizes) * (asks + fixed)
        usage.embedding_slots = sum(sizes) + len(sizes) * options.query_slot
        usage.model_calls = len(sizes)
        return usage

    @staticmethod
    def encoder_options(
        options: ResRankOptions, training: ResRankTraining | None, model_dir: str | None
    ) -> EncoderOptions:
        """The encoder that compresses passages: its own if training reached it."""
        if training is None or not training.trains_encoder:
            return options.encoder
        return options.encoder.model_copy(update={"model": f"{model_dir}/encoder"})

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
        from resrank.training.lora import adapt, merge
        from resrank.training.processes import load_weights, processes
        from resrank.training.resrank_loop import train_stages

        run = processes()
        set_seeds(seed)
        if not dev and any(stage.dev_queries for stage in training.stages):
            raise ValueError(
                "a stage has `dev_queries`, but the training collection has no dev query; set it "
                "to 0 or name another collection in `trained_on`"
            )
        tuned = training.trains_encoder

        def build(given: ResRankOptions) -> ResRank:
            encoder_dtype: DtypeName | None = "float32" if tuned else None
            made = ResRank.from_options(given, encoder_dtype, "float32")
            adapt(made, training)
            return made

        model = build(options)
        run.shard(model.reranker.model)
        if tuned:
            run.shard(model.encoder.model)
        evaluate = partial(cls(model)._dev_score, dev, seed, bench) if bench.dev_score else None
        counts = train_stages(model, train, training, seed, bench, evaluate)
        if run.sharded:
            weights = run.on_main(model.named_parameters())
            if not run.is_main:
                run.wait()
                return
            on_host = {"encoder": options.encoder.model_copy(update={"device": "cpu"})}
            model = build(options.model_copy(update=on_host))
            load_weights(model, weights)
        merge(model)
        if run.is_main:
            model.save_pretrained(
                out, encoder_trained=tuned, seed=seed, training=training.model_dump(mode="json"),
                stages=counts,
            )  # fmt: skip
        run.wait()

    def _dev_score(
        self, dev: Sequence[TrainingExample], seed: int, bench: Bench, stage: Stage
    ) -> float:
        """What reranking a sample of the dev queries is worth with the weights as they are."""
        from resrank.training.processes import processes

        assert bench.dev_score is not None
        chosen = choose(dev, stage.dev_queries, np.random.default_rng([seed]))
        asked = [(example.query, example.candidates) for example in chosen]
        self.forget()
        if not (stage.train_encoder or processes().sharded):
            self.prepare((c.passage for _, listed in asked for c in listed), bench.store)
        return bench.dev_score(self.rerank_many(asked))


class _Batch:
    """Requests with their passages compressed once, scored whole or window by window."""

    def __init__(
        self, model: ResRank, embeddings: PassageEmbeddings, requests: Sequence[Request]
    ) -> None:
        import torch

        self.model = model
        found = [embeddings([c.passage for c in candidates]) for _, candidates in requests]
        self.blocks = [torch.from_numpy(vectors) for vectors, _ in found]
        self.usages = [usage for _, usage in found]
        self.prompts = [model.query_tokens(query.text)[0] for query, _ in requests]
        self.slots = None
        self.closing_tokens = model.closing_tokens
        if model.options.query_slot:
            ids = model.encoder.tokenize([q.text for q, _ in requests], query=True).ids
            self.slots = model.encoder.embed_ids(ids)
            for usage, row in zip(self.usages, ids, strict=True):
                usage.prompt_tokens += len(row)
                usage.query_encoder_tokens += len(row)

    def scores(self, pieces: Sequence[Sequence[Listed]]) -> list[list[float]]:
        """Scores of each piece's passages; one forward pass for all pieces, counted as used."""
        import torch

        from resrank.model.resrank import Lists

        asked = [i for i, piece in enumerate(pieces) if piece]
        rows = [pieces[i][0][0] for i in asked]
        blocks = [
            self.blocks[r][[p for _, p in pieces[i]]] for r, i in zip(rows, asked, strict=True)
        ]
        slots = None if self.slots is None else self.slots[rows]
        scores: list[list[float]] = [[] for _ in pieces]
        if not asked:
            return scores

        def score(places: Sequence[int]) -> list[Tensor]:
            ids = [self.prompts[rows[place]] for place in places]
            own = None if slots is None else slots[list(places)]
            return list(self.model(Lists(ids, own, [blocks[place] for place in places])))

        with torch.inference_mode():
            values = chain(*in_halves(score, range(len(rows))))
        for i, row, found in zip(asked, rows, values, strict=True):
            scores[i] = found.tolist()
            usage = self.usages[row]
            usage.prompt_tokens += len(self.prompts[row]) + self.closing_tokens
            usage.embedding_slots += len(found) + (slots is not None)
            usage.model_calls += 1
        return scores


def _passes(encoder: str, reranker: Model, usage: Usage, candidates: int) -> list[Pass]:
    """The encoder's passes, then the reranker's over tokens and embeddings."""
    positions = usage.prompt_tokens - usage.query_encoder_tokens + usage.embedding_slots
    return [
        *embedded(encoder, usage, candidates),
        Pass(reranker, Work(usage.model_calls, positions)),
    ]


def _order(scores: Sequence[float]) -> list[int]:
    return sorted(range(len(scores)), key=lambda place: -scores[place])
