"""Cross-encoder: query and passage read together, pair by pair (Nogueira and Cho, 2019)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from resrank.files import atomic_folder, write_json
from resrank.model.options import DtypeName
from resrank.records import Candidate, Query, Ranking, TrainingExample, Usage
from resrank.reranker import Request, ranked
from resrank.strict import Strict

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder as Model


class CrossEncoder:
    """Any sentence-transformers CrossEncoder, as published or trained here from an encoder."""

    class Options(Strict):
        """Which model, and how pairs are read."""

        model: str = Field(
            "sentence-transformers/all-MiniLM-L6-v2",
            description="A folder or hub id; an encoder without a head gets a fresh one.",
        )
        revision: str | None = Field(None, description="Hub commit to pin.")
        max_tokens: int = Field(256, ge=16, description="Longer pairs lose the passage's end.")
        batch_pairs: int = Field(32, ge=1, description="Pairs in one forward pass.")
        dtype: DtypeName = Field("auto", description="Number format when scoring.")
        device: str = Field("auto", description="'auto': the first CUDA device, else 'cpu'.")

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

    @classmethod
    def load(cls, options: Options, model_dir: Path | None = None) -> Self:
        """The model that was trained, or the published one that the options name."""
        from resrank.model.device import pick_device, pick_dtype
        from resrank.model.hub import locate

        dtype = pick_dtype(options.dtype, pick_device(options.device))
        folder = model_dir or locate(options.model, options.revision)
        return cls(_model(folder, options, dtype), options)

    @property
    def dtype(self) -> str:
        """Number format of the weights."""
        return str(next(self.model.parameters()).dtype).removeprefix("torch.")

    def rerank(self, query: Query, candidates: Sequence[Candidate]) -> Ranking:
        """Score one query's candidates pair by pair."""
        import torch

        pairs = [(query.text, c.passage.text) for c in candidates]
        scores = self.model.predict(
            pairs,
            batch_size=self.options.batch_pairs,
            show_progress_bar=False,
            activation_fn=torch.nn.Identity(),
        )
        lengths = [len(ids) for ids in self._ids(pairs, truncation=False)]
        limit = self.options.max_tokens
        usage = Usage(
            prompt_tokens=sum(min(length, limit) for length in lengths),
            model_calls=len(pairs),
            truncated_passages=sum(length > limit for length in lengths),
        )
        return ranked(query, candidates, scores, usage)

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Score queries in turn: a query's pairs fill the batches by themselves."""
        from tqdm import tqdm

        bar = tqdm(requests, desc="scoring pairs", unit="query")
        return [self.rerank(query, candidates) for query, candidates in bar]

    def _ids(self, pairs: Sequence[tuple[str, str]], **options: Any) -> Any:
        if not pairs:
            return []
        queries, passages = zip(*pairs, strict=True)
        return self.model.tokenizer(list(queries), list(passages), **options)["input_ids"]

    @classmethod
    def train(
        cls,
        options: Options,
        training: Training,
        train: Sequence[TrainingExample],
        dev: Sequence[TrainingExample],
        out: Path,
        seed: int,
        store: Path,
        on_step: Callable[[dict[str, float]], None] | None = None,
    ) -> None:
        """Train from the named encoder and save under `out`."""
        import torch

        from baselines.cross_encoder_training import fit
        from resrank.model.device import set_seeds
        from resrank.model.hub import locate

        set_seeds(seed)
        model = _model(locate(options.model, options.revision), options, torch.float32)
        counts = fit(model, train, training, seed, on_step)
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
    )
