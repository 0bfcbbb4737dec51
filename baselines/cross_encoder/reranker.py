"""Cross-encoder: query and passage read together, pair by pair (Nogueira and Cho, 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from resrank.efficiency.work import Asked, Pass, Work, expected_pairs
from resrank.io.atomic import atomic_folder, write_json
from resrank.model.options import DtypeName
from resrank.model.out_of_memory import in_halves
from resrank.options import Strict
from resrank.phases import phase
from resrank.records import Candidate, Query, Ranking, TrainingExample, Usage
from resrank.reranker import Bench, Expected, Request, ranked

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder as Model
    from torch import Tensor

Ids = dict[str, list[int]]


class CrossEncoder:
    """Any sentence-transformers CrossEncoder, as published or trained here from an encoder."""

    class Options(Strict):
        """Which model, and how pairs are read."""

        model: str = Field(
            "sentence-transformers/all-MiniLM-L6-v2",
            description="A folder or hub id; an encoder without a head gets a fresh one.",
        )
        revision: str | None = Field(None, description="Hub commit to pin.")
        max_tokens: int = Field(256, ge=16, description="Longer pairs lose the longer text's end.")
        batch_tokens: int | None = Field(
            None, ge=16, description="Padded tokens in one forward pass; unset: 1,024 on the "
            "processor, where that many stay in its cache, and 32,768 on a GPU."
        )  # fmt: skip
        dtype: DtypeName = Field("auto", description="Number format when scoring.")
        device: str = Field("auto", description="'auto': the first CUDA device, else 'cpu'.")

        @property
        def random_part(self) -> str | None:
            """What has random weights until it is trained: an encoder's head, if that is known.

            A model that is not on this machine yet is taken to have one.
            """
            from resrank.model.hub import architectures

            named = architectures(self.model, self.revision)
            has_head = not named or any(n.endswith("ForSequenceClassification") for n in named)
            return None if has_head else "head"

    class Training(Strict):
        """Binary cross-entropy on positives and first-stage negatives."""

        epochs: int = Field(1, ge=1, description="Passes over the training queries.")
        learning_rate: float = Field(5e-5, gt=0, description="AdamW's peak rate.")
        batch_queries: int = Field(8, ge=1, description="Queries in one step.")
        negatives: int = Field(3, ge=1, description="Negatives a query, from its candidates.")
        max_tokens: int = Field(128, ge=16, description="Pairs are cut to this many tokens.")
        max_queries: int | None = Field(None, ge=1, description="Use only this many queries.")

    def __init__(self, model: Model, options: Options) -> None:
        self.model = model
        self.options = options
        self.about: dict[str, str] = {}

    @classmethod
    def load(cls, options: Options, model_dir: Path | None = None) -> Self:
        """The model that was trained, or the published one that the options name."""
        from resrank.model.device import pick_device, pick_dtype, set_seeds
        from resrank.model.hub import locate

        if model_dir is None:
            set_seeds(0)  # a fresh head, if the model needs one, is the same in each run
        dtype = pick_dtype(options.dtype, pick_device(options.device))
        folder = model_dir or locate(options.model, options.revision)
        loaded = cls(_model(folder, options, dtype), options)
        if model_dir is None and options.random_part:
            loaded.about["untrained"] = f"{options.random_part} of random weights"
        return loaded

    @staticmethod
    def passes(options: Options, usage: Usage, candidates: int) -> list[Pass]:
        """One pass a pair."""
        return [Pass(options.model, Work(usage.model_calls, usage.prompt_tokens))]

    @staticmethod
    def expected(options: Options, asked: Asked) -> Usage:
        """The usage of a ranking that has not been made; three special tokens a pair."""
        return expected_pairs(asked, 3, options.max_tokens)

    @property
    def dtype(self) -> str:
        """Number format of the weights."""
        from resrank.model.device import number_format

        return number_format(self.model)

    def expects(self, candidates: int) -> Expected:
        """A pair a candidate."""
        return Expected(model_calls=candidates, generated_tokens=0, embedding_slots=0)

    def rerank(self, query: Query, candidates: Sequence[Candidate]) -> Ranking:
        """Score one query's candidates pair by pair."""
        pairs, truncated = self._tokenize(query.text, [c.passage.text for c in candidates])
        usage = Usage(
            prompt_tokens=sum(len(pair["input_ids"]) for pair in pairs),
            model_calls=len(pairs),
            truncated_passages=truncated,
        )
        return ranked(query, candidates, self._scores(pairs), usage)

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Score queries in turn: a query's pairs fill the batches by themselves."""
        from tqdm import tqdm

        bar = tqdm(requests, desc="scoring pairs", unit="query")
        return [self.rerank(query, candidates) for query, candidates in bar]

    def _tokenize(self, query: str, passages: Sequence[str]) -> tuple[list[Ids], int]:
        """Each pair's token ids, cut to fit, and how many pairs were cut."""
        if not passages:
            return [], 0
        tokenizer, limit = self.model.tokenizer, self.options.max_tokens
        whole = tokenizer([query] * len(passages), list(passages), truncation=False, verbose=False)
        long = [i for i, ids in enumerate(whole["input_ids"]) if len(ids) > limit]
        pairs = [{name: whole[name][i] for name in whole} for i in range(len(passages))]
        for i in long:
            pairs[i] = dict(tokenizer(query, passages[i], truncation=True, max_length=limit))
        return pairs, len(long)

    def _scores(self, pairs: Sequence[Ids]) -> list[float]:
        """A logit a pair; length-sorted batches, a batch a core on the processor."""
        from resrank.model.batches import token_budget_batches
        from resrank.model.cores import map_batches

        device = self.model.device
        budget = self.options.batch_tokens or (1024 if device.type == "cpu" else 32768)
        batches = list(token_budget_batches([len(p["input_ids"]) for p in pairs], budget))
        blocks = map_batches(
            self._logits, [[pairs[i] for i in places] for places in batches], device
        )
        scores = [0.0] * len(pairs)
        with phase("prefill"):
            for places, block in zip(batches, blocks, strict=True):
                for place, score in zip(places, block, strict=True):
                    scores[place] = score
        return scores

    def _logits(self, pairs: Sequence[Ids]) -> list[float]:
        parts = in_halves(self._forward, pairs)
        return [logit for part in parts for logit in part.tolist()]

    def _forward(self, pairs: Sequence[Ids]) -> Tensor:
        import torch

        batch = self.model.tokenizer.pad(list(pairs), return_tensors="pt").to(self.model.device)
        with torch.inference_mode():
            logits: Tensor = self.model.model(**batch).logits
        return logits.squeeze(-1).float().cpu()

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
        """Train from the named encoder and save under `out`."""
        import torch

        from baselines.cross_encoder.training import train_pairs
        from resrank.model.device import set_seeds
        from resrank.model.hub import locate
        from resrank.training.processes import processes

        set_seeds(seed)
        model = _model(locate(options.model, options.revision), options, torch.float32)
        counts = train_pairs(model, train, training, seed, bench)
        if not processes().is_main:
            return
        with atomic_folder(out) as folder:
            model.save_pretrained(str(folder))
            about = {"seed": seed, "training": training.model_dump(), **counts}
            write_json(folder / "provenance.json", about)


def _model(folder: Path, options: CrossEncoder.Options, dtype: Any) -> Model:
    from sentence_transformers import CrossEncoder as Model

    from resrank.model.device import pick_device

    return Model(
        str(folder),
        num_labels=1,
        max_length=options.max_tokens,
        device=str(pick_device(options.device)),
        model_kwargs={"dtype": dtype},
    ).eval()
