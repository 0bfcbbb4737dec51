"""A user's reranker that takes a fixed time."""

import time

from resrank.ranking import ranked
from resrank.records import Usage
from resrank.reranker import Reranker
from resrank.reranker_options import RerankerOptions


class SleeperOptions(RerankerOptions):
    seconds: float


class Sleeper(Reranker):
    Options = SleeperOptions

    def rerank_many(self, requests):
        time.sleep(self.options.seconds * len(requests))
        return [
            ranked(query, candidates, range(len(candidates)), Usage())
            for query, candidates in requests
        ]
