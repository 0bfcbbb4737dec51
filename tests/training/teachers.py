"""Rerankers without a model, as teachers."""

from collections.abc import Sequence

from resrank.ranking import Request, ranked
from resrank.records import Ranking, Usage
from resrank.reranker import Reranker


class Backwards(Reranker):
    """Ranks the last candidate first; the scores are 0, 10, 20, ... in list order."""

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        return [
            ranked(query, listed, [10.0 * place for place in range(len(listed))], Usage())
            for query, listed in requests
        ]


class Alphabetical(Reranker):
    """Ranks candidates by their ids, from the last letter to the first."""

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        rankings = []
        for query, listed in requests:
            ids = sorted(c.passage.id for c in listed)
            scores = [float(ids.index(c.passage.id)) for c in listed]
            rankings.append(ranked(query, listed, scores, Usage(model_calls=1)))
        return rankings
