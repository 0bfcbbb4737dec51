"""PE-Rank: listwise decoding over passage embeddings (Liu et al., WWW 2025, arXiv 2406.14848)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field

from baselines.pe_rank.prompt import CLOSING, OPENING
from resrank.efficiency.work import (
    Asked,
    Pass,
    Work,
    decoder_of,
    embedded,
    expected_embeddings,
    text_tokens,
)
from resrank.model.embeds_passages import EmbedsPassages
from resrank.model.options import EncoderOptions, TwoModels
from resrank.model.out_of_memory import in_halves
from resrank.records import Ranking, TrainingExample, Usage
from resrank.reranker import Bench, Expected, Listed, Request, by_windows
from resrank.training.options import Queries
from resrank.windows import Window, window_sizes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from baselines.pe_rank.model import PERankModel


class PERank(EmbedsPassages):
    """Passages are encoded once, not once a window; each window is written, one step a passage."""

    class Options(TwoModels):
        """Which models, and how they are asked."""

        chat: bool = Field(
            True, description="The authors' prompt, in the decoder's chat template; false: a plain "
            "one, of `instruction`, query, passages and `closing`, for a decoder without one."
        )  # fmt: skip
        instruction: str = Field(
            "Rank the passages by their relevance to the query: ", description="Opens a plain "
            "prompt."
        )  # fmt: skip
        closing: str = Field(" ranking: ", description="Text behind a plain prompt's passages.")
        max_query_tokens: int = Field(128, ge=1, description="Longer queries lose their end.")
        window: Window = Field(Window(), description="Size, step and passes of the windows.")
        batch_windows: int = Field(32, ge=1, description="Windows that are decoded at once.")

        @property
        def random_part(self) -> str:
            """What has random weights until it is trained."""
            return "projector"

    class Training(Queries):
        """ListMLE over the decoding's steps, without and with the passages' text.

        Projector and decoder learn; the encoder stays as it is.
        """

        teacher: Path | None = Field(
            None, description="JSONL of a teacher's orderings, {'query_id': ..., 'ranking': "
            "[passage ids, best first]} a line; unset: lists are graded by the qrels."
        )  # fmt: skip
        step_weights: Literal["inverse", "equal"] = Field(
            "inverse", description="'inverse': the i-th step counts 1 / i."
        )
        normalise: bool = Field(
            True, description="Divide hidden states by their length before they choose."
        )
        temperature: float = Field(1.0, gt=0, description="Of the choices.")
        content_weight: float = Field(
            1.0, ge=0, description="Weight of the loss of a prompt with the passages' text."
        )
        divergence_weight: float = Field(
            0.2, ge=0, description="Weight of the divergence of both prompts' choices."
        )
        content_tokens: int = Field(180, ge=1, description="Tokens of a text in that prompt.")
        batch_queries: int = Field(8, ge=1, description="Lists in one step.")
        list_length: int = Field(20, ge=2, description="Passages in a training list.")
        order: Literal["first_stage", "shuffled"] = Field(
            "shuffled", description="Order in which a training list is fed."
        )
        learning_rate: float = Field(3e-4, gt=0, description="AdamW's peak rate.")

        @property
        def files(self) -> list[Path]:
            """The user's own files that training reads."""
            return [self.teacher] if self.teacher else []

        @property
        def shows_text(self) -> bool:
            """Whether the prompt with the passages' text has a part in the loss."""
            return self.content_weight > 0 or self.divergence_weight > 0

    def __init__(self, model: PERankModel) -> None:
        from resrank.model.passage_embeddings import PassageEmbeddings

        self.model = model
        self.embeddings = PassageEmbeddings(model.encoder)

    @classmethod
    def load(cls, options: Options, model_dir: Path | None = None) -> Self:
        """A trained model from `model_dir`, or one as the options describe it."""
        from baselines.pe_rank.model import PERankModel
        from resrank.model.device import set_seeds

        if model_dir is not None:
            return cls(PERankModel.from_pretrained(model_dir, options))
        set_seeds(0)
        return cls(PERankModel.from_options(options).eval())

    @staticmethod
    def encoder_options(
        options: Options, training: Training | None, model_dir: str | None
    ) -> EncoderOptions:
        """The encoder whose passage embeddings can be stored."""
        return options.encoder

    @staticmethod
    def passes(options: Options, usage: Usage, candidates: int) -> list[Pass]:
        """Passages embedded; each window read, then written; its pass gives the first passage."""
        calls, positions = usage.model_calls, usage.prompt_tokens + usage.embedding_slots
        work = Work(calls, positions, steps=usage.generated_tokens - calls)
        passages = embedded(options.encoder.model, usage, candidates)
        return [*passages, Pass(decoder_of(options), work)]

    @staticmethod
    def expected(options: Options, asked: Asked) -> Usage:
        """The usage of a ranking that has not been made."""
        sizes = window_sizes(asked.candidates, options.window)
        query = min(asked.query_tokens, options.max_query_tokens)
        fixed = text_tokens(options.instruction, options.closing) + query
        around = 0
        if options.chat:  # the authors' prompt shows the query twice, and each passage's number
            fixed = text_tokens(OPENING, CLOSING) + 2 * query
            around = text_tokens("Passage 10: []\n\n")
        return expected_embeddings(options.encoder, asked, query=False) + Usage(
            prompt_tokens=len(sizes) * fixed + sum(sizes) * around,
            embedding_slots=sum(sizes),
            generated_tokens=sum(sizes),
            model_calls=len(sizes),
        )

    @property
    def dtype(self) -> str:
        """Number formats of encoder and decoder."""
        from resrank.model.device import number_format

        return number_format(self.model.encoder, self.model.decoder)

    def expects(self, candidates: int) -> Expected:
        """Each passage is encoded once, and read and written once in each of its windows."""
        sizes = window_sizes(candidates, self.model.options.window)
        places = sum(sizes)
        return Expected(len(sizes), places, places, encoded_passages=candidates)

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Rank many queries; the windows of one round are decoded together."""
        found = [self.embeddings([c.passage for c in candidates]) for _, candidates in requests]
        usages = [usage for _, usage in found]
        vectors = [rows for rows, _ in found]
        return by_windows(
            requests, self.model.options.window, usages,
            lambda windows: self._order(windows, requests, vectors, usages),
        )  # fmt: skip

    def _order(
        self,
        windows: Sequence[Sequence[Listed]],
        requests: Sequence[Request],
        vectors: Sequence[NDArray[np.float32]],
        usages: Sequence[Usage],
    ) -> list[list[int]]:
        """Each window's places as they are decoded."""
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
        options: Options,
        training: Training,
        train: Sequence[TrainingExample],
        dev: Sequence[TrainingExample],
        out: Path,
        seed: int,
        bench: Bench,
    ) -> None:
        """Train projector and decoder and save them under `out`."""
        from baselines.pe_rank.model import PERankModel
        from baselines.pe_rank.training import train_lists
        from resrank.model.device import set_seeds
        from resrank.training.processes import processes

        set_seeds(seed)
        full = options.model_copy(update={"reranker_dtype": "float32"})
        model = PERankModel.from_options(full)
        counts = train_lists(model, train, training, seed, bench)
        if processes().is_main:
            about = {"seed": seed, "training": training.model_dump(mode="json"), **counts}
            model.save_pretrained(out, about)
