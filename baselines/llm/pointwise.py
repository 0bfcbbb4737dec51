"""Pointwise language models: a query's pairs are scored in batches, which change no score."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from resrank.model.batches import token_budget_batches
from resrank.model.out_of_memory import in_halves
from resrank.phases import phase
from resrank.ranking import Request, ranked
from resrank.records import Candidate, Query, Ranking, Usage
from resrank.reranker import DeclaredCounts, Reranker

if TYPE_CHECKING:
    from baselines.llm.backends.transformers import TransformersModel


class Pointwise(Reranker):
    """Base of rerankers that score each (query, passage) pair by itself."""

    batch_tokens: int

    @abstractmethod
    def pair_ids(self, query: str, passage: str) -> tuple[list[int], bool]:
        """Return a pair's token ids, and whether the passage was cut."""

    @abstractmethod
    def score_batch(self, ids: Sequence[list[int]]) -> list[float]:
        """Return one score per pair of a batch."""

    def declared_counts(self, candidates: int) -> DeclaredCounts:
        """Declare one pair per candidate; the score is read from logits."""
        return DeclaredCounts(model_calls=candidates, generated_tokens=0, embedding_slots=0)

    def rerank(self, query: Query, candidates: Sequence[Candidate]) -> Ranking:
        """Score one query's candidates; pairs of similar length share a batch."""
        pairs = [self.pair_ids(query.text, c.passage.text) for c in candidates]
        scores = [0.0] * len(pairs)
        for places in token_budget_batches([len(ids) for ids, _ in pairs], self.batch_tokens):
            with phase("prefill"):
                parts = in_halves(self.score_batch, [pairs[place][0] for place in places])
            for place, score in zip(places, chain(*parts), strict=True):
                scores[place] = score
        usage = Usage(
            prompt_tokens=sum(len(ids) for ids, _ in pairs),
            model_calls=len(pairs),
            truncated_passages=sum(cut for _, cut in pairs),
        )
        return ranked(query, candidates, scores, usage)

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Rerank one query after another: a single query's pairs fill the batches."""
        bar = tqdm(requests, desc="scoring pairs", unit="query")
        return [self.rerank(query, candidates) for query, candidates in bar]


class TwoAnswers(Pointwise):
    """Base of judges whose score is the probability of the first of two answers.

    targets: the token of each answer.
    """

    model: TransformersModel
    targets: list[int]

    @property
    def dtype(self) -> str:
        """Return the number format of the weights."""
        return self.model.dtype

    @property
    def about(self) -> Mapping[str, Any]:
        """Return the model's parameters."""
        return {"parameters": dict(self.model.identity)}

    def score_batch(self, ids: Sequence[list[int]]) -> list[float]:
        """Return the first answer's log probability, normalised over both, per pair."""
        logits = self.model.first_logits(ids, self.targets)
        return [float(x) for x in logits.log_softmax(dim=-1)[:, 0].tolist()]


def fit(
    prefix: list[int], passage: list[int], suffix: list[int], limit: int
) -> tuple[list[int], bool]:
    """Return prefix + passage + suffix in at most `limit` tokens, and whether the passage was cut.

    ValueError if prefix and suffix leave no space for the passage.
    """
    space = limit - len(prefix) - len(suffix)
    if space < 1:
        raise ValueError(
            f"the prompt without its passage has {len(prefix) + len(suffix)} tokens, which leaves "
            f"no space for it under max_tokens={limit}; raise it or shorten the query"
        )
    return [*prefix, *passage[:space], *suffix], len(passage) > space
