"""A RankGPT behind an endpoint with small windows, and lists to rerank; imports little."""

from __future__ import annotations

from typing import Any

from baselines.rankgpt import RankGPT
from resrank.records import Candidate, Passage, Query

WINDOW = {"size": 4, "step": 2}


def requests(queries: int = 4, depth: int = 8) -> list[tuple[Query, list[Candidate]]]:
    return [
        (
            Query(f"q{i}", f"number {i}"),
            [
                Candidate(Passage(f"p{i}-{n}", f"passage {n} of {i}"), float(-n))
                for n in range(depth)
            ],
        )
        for i in range(queries)
    ]


def reverse(prompt: str) -> str:
    """Answer with the window's places in reverse."""
    size = int(prompt.rpartition("Rank all ")[2].split()[0])
    return " > ".join(f"[{n}]" for n in range(size, 0, -1))


def reranker(url: str, **more: Any) -> RankGPT:
    llm = {"kind": "http", "url": url, "model": "m", "timeout_s": 20, "tries": 5, **more}
    options = {"llm": llm, "prompt": "short", "window": WINDOW}
    return RankGPT.load(RankGPT.Options.model_validate(options))


def orders(rankings: list) -> list[tuple[str, ...]]:
    return [ranking.passage_ids for ranking in rankings]
