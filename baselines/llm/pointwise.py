"""What pointwise language models share: a query's pairs, scored in batches that change nothing."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from itertools import chain

from tqdm import tqdm

from resrank.model.batches import token_budget_batches
from resrank.model.out_of_memory import in_halves
from resrank.phases import phase
from resrank.ranking import Request, ranked
from resrank.records import Candidate, Query, Ranking, Usage
from resrank.reranker import DeclaredCounts, Reranker


class Pointwise(Reranker):
    """Base of a model that reads one pair at a time."""

    batch_tokens: int

    @abstractmethod
    def pair_ids(self, query: str, passage: str) -> tuple[list[int], bool]:
        """Token ids of a pair, and whether the passage was cut."""

    @abstractmethod
    def score_batch(self, ids: Sequence[list[int]]) -> list[float]:
        """One score a pair of a batch."""

    def declared_counts(self, candidates: int) -> DeclaredCounts:
        """A pair a candidate; the score is read from logits."""
        return DeclaredCounts(model_calls=candidates, generated_tokens=0, embedding_slots=0)

    def rerank(self, query: Query, candidates: Sequence[Candidate]) -> Ranking:
        """One query's candidates, pair by pair; pairs of like length together."""
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
        """Queries in turn: a query's pairs fill the batches by themselves."""
        bar = tqdm(requests, desc="scoring pairs", unit="query")
        return [self.rerank(query, candidates) for query, candidates in bar]


def fit(
    prefix: list[int], passage: list[int], suffix: list[int], limit: int
) -> tuple[list[int], bool]:
    """Prefix + passage + suffix in at most `limit` tokens; the passage alone is cut."""
    room = limit - len(prefix) - len(suffix)
    if room < 1:
        raise ValueError(
            f"the prompt without its passage has {len(prefix) + len(suffix)} tokens, which leaves "
            f"no room for one under max_tokens={limit}; raise it or shorten the query"
        )
    return [*prefix, *passage[:room], *suffix], len(passage) > room
