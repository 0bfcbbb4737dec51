"""Cross-encoder: query and passage read together, pair by pair (Nogueira and Cho, 2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from baselines.cross_encoder.options import CrossEncoderOptions, CrossEncoderTraining
from resrank.efficiency.common_work import estimated_pairs
from resrank.io.atomic import atomic_folder, write_json
from resrank.model.out_of_memory import in_halves
from resrank.phases import phase
from resrank.ranking import Request, ranked
from resrank.records import Candidate, Query, Ranking, Usage
from resrank.reranker import DeclaredCounts, Reranker, TrainingData, TrainingJob
from resrank.work import Pass, QueryShape, Work

if TYPE_CHECKING:
    import sentence_transformers
    from torch import Tensor

Ids = dict[str, list[int]]
SPECIAL_TOKENS = 3  # around query and passage of a pair


class CrossEncoder(Reranker):
    """Any sentence-transformers CrossEncoder, as published or trained here from an encoder.

    A head of two labels gives the log odds of the second: it was trained as a classifier of
    passages that are not relevant and relevant, as BERT rerankers of MS MARCO are (Nogueira and
    Cho, 2019).
    """

    Options = CrossEncoderOptions
    Training = CrossEncoderTraining

    def __init__(
        self, model: sentence_transformers.CrossEncoder, options: CrossEncoderOptions
    ) -> None:
        self.model = model
        self.options = options
        self.untrained: str | None = None

    @classmethod
    def load(cls, options: CrossEncoderOptions, model_dir: Path | None = None) -> Self:
        """Load the model that was trained, or the published one that the options name."""
        if model_dir is None:
            return cls.start(options, 0)
        return cls(_model(model_dir, options, _dtype(options)), options)

    @classmethod
    def start(cls, options: CrossEncoderOptions, seed: int) -> Self:
        """Load the published model; a new head, if it needs one, follows the seed."""
        from resrank.model.device import set_seeds
        from resrank.model.hub import locate

        set_seeds(seed)
        folder = locate(options.model, options.revision)
        loaded = cls(_model(folder, options, _dtype(options)), options)
        if options.random_part:
            loaded.untrained = f"{options.random_part} of random weights"
        return loaded

    @staticmethod
    def passes(options: CrossEncoderOptions, usage: Usage, candidates: int) -> list[Pass]:
        """Return one pass per pair."""
        return [Pass(options.model, Work(usage.model_calls, usage.prompt_tokens))]

    @staticmethod
    def estimate_usage(options: CrossEncoderOptions, shape: QueryShape) -> Usage:
        """Return the usage of reading each pair once."""
        return estimated_pairs(shape, SPECIAL_TOKENS, options.max_tokens)

    @property
    def dtype(self) -> str:
        """Return the number format of the weights."""
        from resrank.model.device import number_format

        return number_format(self.model)

    @property
    def about(self) -> Mapping[str, Any]:
        """Return which part of the model is untrained, if any."""
        return {"untrained": self.untrained} if self.untrained else {}

    def declared_counts(self, candidates: int) -> DeclaredCounts:
        """Return one call per candidate."""
        return DeclaredCounts(model_calls=candidates, generated_tokens=0, embedding_slots=0)

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
        """Score queries in turn, since a query's pairs fill the batches by themselves."""
        from tqdm import tqdm

        bar = tqdm(requests, desc="scoring pairs", unit="query")
        return [self.rerank(query, candidates) for query, candidates in bar]

    def _tokenize(self, query: str, passages: Sequence[str]) -> tuple[list[Ids], int]:
        """Return each pair's token ids, cut to fit, and how many pairs were cut."""
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
        """Return one score per pair, from length-sorted batches, one batch per processor core."""
        from resrank.model.batch_threads import map_batches
        from resrank.model.batches import token_budget_batches

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
            logits: Tensor = self.model.model(**batch).logits.float()
        if logits.shape[1] == 2:  # not relevant, relevant
            return (logits[:, 1] - logits[:, 0]).cpu()
        return logits.squeeze(-1).cpu()

    @classmethod
    def train(
        cls,
        options: CrossEncoderOptions,
        training: CrossEncoderTraining,
        data: TrainingData,
        out: Path,
        job: TrainingJob,
    ) -> None:
        """Train from the named encoder and save under `out`."""
        import torch

        from baselines.cross_encoder.training import train_pairs
        from resrank.model.device import set_seeds
        from resrank.model.hub import locate
        from resrank.training.processes import processes

        set_seeds(job.seed)
        model = _model(locate(options.model, options.revision), options, torch.float32)
        if model.num_labels != 1:
            raise ValueError(
                f"{options.model}: its head has {model.num_labels} labels; a head of 1 label, or a "
                "model without a head, can be trained here"
            )
        counts = train_pairs(model, data.train, training, job)
        if not processes().is_main:
            return
        with atomic_folder(out) as folder:
            model.save_pretrained(str(folder))
            about = {"seed": job.seed, "training": training.model_dump(), **counts}
            write_json(folder / "provenance.json", about)


def _dtype(options: CrossEncoderOptions) -> Any:
    """Return the number format in which pairs are scored."""
    from resrank.model.device import pick_device, pick_dtype

    return pick_dtype(options.dtype, pick_device(options.device))


def _model(
    folder: Path, options: CrossEncoderOptions, dtype: Any
) -> sentence_transformers.CrossEncoder:
    import sentence_transformers

    from resrank.model.device import pick_device
    from resrank.model.encoder import check_positions

    model = sentence_transformers.CrossEncoder(
        str(folder),
        num_labels=_labels(folder, options),
        max_length=options.max_tokens,
        device=str(pick_device(options.device)),
        model_kwargs={"dtype": dtype},
    ).eval()
    check_positions(model.model, options.max_tokens, options.model)
    return model


def _labels(folder: Path, options: CrossEncoderOptions) -> int:
    """Return how many labels the head has; 1 for a new one. ValueError if it has 3 or more."""
    from transformers import AutoConfig

    if options.random_part:
        return 1
    labels: int = AutoConfig.from_pretrained(folder, trust_remote_code=False).num_labels
    if labels > 2:
        raise ValueError(
            f"{options.model}: its head has {labels} labels; a head of 1 (a score) or 2 (not "
            "relevant, relevant) is needed"
        )
    return labels
