"""A user's own reranker that takes a known time."""

import time

from resrank.options import Strict
from resrank.records import Usage
from resrank.reranker import RanksMany, ranked


class Sleeper(RanksMany):
    class Options(Strict):
        seconds: float

    def __init__(self, options):
        self.options = options

    @classmethod
    def load(cls, options, model_dir=None):
        return cls(options)

    def rerank_many(self, requests):
        time.sleep(self.options.seconds * len(requests))
        return [ranked(query, found, range(len(found)), Usage()) for query, found in requests]
