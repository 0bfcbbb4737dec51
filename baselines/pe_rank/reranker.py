"""PE-Rank: listwise decoding over passage embeddings (Liu et al., WWW 2025, arXiv 2406.14848)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Self

from baselines.pe_rank.options import PERankOptions, PERankTraining
from baselines.pe_rank.prompt import CLOSING, OPENING
from resrank.efficiency.common_work import (
    decoder_of,
    embedded,
    estimated_embeddings,
    text_tokens,
)
from resrank.model.embeds_passages import EmbedsPassages
from resrank.model.options import EncoderOptions
from resrank.model.out_of_memory import in_halves
from resrank.ranking import Listed, Request, by_windows
from resrank.records import Ranking, Usage
from resrank.reranker import DeclaredCounts, TrainingData, TrainingJob
from resrank.windows import window_sizes
from resrank.work import Pass, QueryShape, Work

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from baselines.pe_rank.model import PERankModel


class PERank(EmbedsPassages):
    """Encodes each passage once, and writes the order of each window, one step per passage."""

    Options = PERankOptions
    Training = PERankTraining
    reads_lists = True

    def __init__(self, model: PERankModel) -> None:
        from resrank.model.passage_embeddings import PassageEmbeddings

        self.model = model
        self.embeddings = PassageEmbeddings(model.encoder)

    @classmethod
    def load(cls, options: PERankOptions, model_dir: Path | None = None) -> Self:
        """Load a trained model from `model_dir`, or build one from the options."""
        from baselines.pe_rank.model import PERankModel

        if model_dir is None:
            return cls.start(options, 0)
        return cls(PERankModel.from_pretrained(model_dir, options))

    @classmethod
    def start(cls, options: PERankOptions, seed: int) -> Self:
        """Build the model from the options; projector and new decoder follow the seed."""
        from baselines.pe_rank.model import PERankModel
        from resrank.model.device import set_seeds

        set_seeds(seed)
        return cls(PERankModel.from_options(options).eval())

    @staticmethod
    def encoder_options(
        options: PERankOptions, training: PERankTraining | None, model_dir: str | None
    ) -> EncoderOptions:
        """Return the encoder whose passage embeddings can be stored."""
        return options.encoder

    @staticmethod
    def passes(options: PERankOptions, usage: Usage, candidates: int) -> list[Pass]:
        """Return the passages' passes, and the decoder's, whose prompt gives the first passage."""
        calls, positions = usage.model_calls, usage.prompt_tokens + usage.embedding_slots
        work = Work(calls, positions, steps=usage.generated_tokens - calls)
        passages = embedded(options.encoder.named, usage, candidates)
        return [*passages, Pass(decoder_of(options), work)]

    @staticmethod
    def estimate_usage(options: PERankOptions, shape: QueryShape) -> Usage:
        """Return the usage of reading and writing each window once."""
        sizes = window_sizes(shape.candidates, options.window)
        query = min(shape.query_tokens, options.max_query_tokens)
        fixed = text_tokens(options.instruction, options.closing) + query
        around = 0
        if options.chat:  # the authors' prompt has the query twice, and each passage's number
            fixed = text_tokens(OPENING, CLOSING) + 2 * query
            around = text_tokens("Passage 10: []\n\n")
        return estimated_embeddings(options.encoder, shape, query=False) + Usage(
            prompt_tokens=len(sizes) * fixed + sum(sizes) * around,
            embedding_slots=sum(sizes),
            generated_tokens=sum(sizes),
            model_calls=len(sizes),
        )

    @property
    def dtype(self) -> str:
        """Return the number formats of encoder and decoder."""
        from resrank.model.device import number_format

        return number_format(self.model.encoder, self.model.decoder)

    def declared_counts(self, candidates: int) -> DeclaredCounts:
        """Return one encoding per passage, and one slot and one token in each of its windows."""
        sizes = window_sizes(candidates, self.model.options.window)
        places = sum(sizes)
        return DeclaredCounts(len(sizes), places, places, encoded_passages=candidates)

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Rank many queries; the windows of one round are decoded together."""
        embedded_lists = [self.embeddings([c.passage for c in listed]) for _, listed in requests]
        usages = [usage for _, usage in embedded_lists]
        vectors = [rows for rows, _ in embedded_lists]
        return by_windows(
            requests,
            self.model.options.window,
            usages,
            lambda windows: self._order(windows, requests, vectors, usages),
        )

    def _order(
        self,
        windows: Sequence[Sequence[Listed]],
        requests: Sequence[Request],
        vectors: Sequence[NDArray[np.float32]],
        usages: Sequence[Usage],
    ) -> list[list[int]]:
        """Return each window's indices in the order in which they are decoded."""
        import torch

        places: list[list[int]] = []
        for start in range(0, len(windows), self.model.options.batch_windows):
            batch = windows[start : start + self.model.options.batch_windows]
            rows = [window[0][0] for window in batch]
            queries = [requests[row][0].text for row in rows]
            blocks = [
                torch.from_numpy(vectors[row][[place for _, place in window]])
                for row, window in zip(rows, batch, strict=True)
            ]
            pairs = list(zip(queries, blocks, strict=True))
            places += chain(*in_halves(self._decode, pairs))
            for row, query, window in zip(rows, queries, batch, strict=True):
                self._count(query, len(window), usages[row])
        return places

    def _decode(self, pairs: Sequence[tuple[str, Tensor]]) -> list[list[int]]:
        return self.model.decode([query for query, _ in pairs], [block for _, block in pairs])

    def _count(self, query: str, passages: int, usage: Usage) -> None:
        usage.prompt_tokens += sum(map(len, self.model.prompt.segments(query, passages)))
        usage.embedding_slots += passages
        usage.generated_tokens += passages
        usage.model_calls += 1

    @classmethod
    def train(
        cls,
        options: PERankOptions,
        training: PERankTraining,
        data: TrainingData,
        out: Path,
        job: TrainingJob,
    ) -> None:
        """Train projector and decoder and save them under `out`."""
        from baselines.pe_rank.model import PERankModel
        from baselines.pe_rank.training import train_lists
        from resrank.model.device import set_seeds
        from resrank.training.processes import processes

        set_seeds(job.seed)
        full = options.model_copy(update={"reranker_dtype": "float32"})
        model = PERankModel.from_options(full)
        counts = train_lists(model, data.train, training, job)
        if processes().is_main:
            about = {"seed": job.seed, "training": training.model_dump(mode="json"), **counts}
            model.save_pretrained(out, about)
