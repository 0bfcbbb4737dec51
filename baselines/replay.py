"""Rerank RankLLM's candidates with answers recorded elsewhere: no model and no suite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from baselines.llm.answers import Rule
from baselines.llm.interface import Answer, Keep, Prompt, drop
from baselines.llm.options import ReplayOptions
from baselines.rankgpt import RankGPT
from resrank.collections.rankllm import read_lists
from resrank.io.run import usage_of, write_run, write_usage
from resrank.io.text import DataError, read_jsonl, text_field
from resrank.records import Candidate, Passage, Query, Usage
from resrank.windows import Window, spans


def replay(
    candidates: Path, responses: Path, window: Window, parser: Rule, depth: int, out: Path
) -> Usage:
    """Rerank each query's candidates by recorded answers, in the order of their file.

    Writes a TREC run to `out` and each query's usage beside it. Returns the usage of all queries.
    DataError if there are fewer or more answers than windows, or if a recorded prompt belongs to
    another query.
    """
    model = ResponsesInOrder(responses)
    options = RankGPT.Options(
        llm=ReplayOptions(kind="replay", transcript=responses), window=window, parser=parser
    )
    reranker = RankGPT(options, model)
    lists = read_lists(candidates)
    model.expected = window.passes * sum(
        len(list(spans(len(item.hits[:depth]), window))) for item in lists
    )
    rankings = []
    for item in tqdm(lists, desc="replaying", unit="query"):  # in the answers' order
        model.query = item.text
        listed = [Candidate(Passage(h.passage_id, h.text), h.score) for h in item.hits[:depth]]
        rankings.append(reranker.rerank(Query(item.query_id, item.text), listed))
    if model.used < len(model.rows):
        line = model.rows[model.used][0]
        raise DataError(
            f"{responses}:{line}: {len(model.rows) - model.used} answers are left over; check "
            "--window, --step, --depth and --candidates"
        )
    write_run(out, rankings, "replay")
    write_usage(usage_of(out), rankings)
    return sum((r.usage for r in rankings), Usage())


class ResponsesInOrder:
    """Yields answers recorded elsewhere, one `{"prompt", "response"}` per line, in file order.

    query: text of the query whose answers come next, set by the caller; a recorded prompt must
    contain it. expected: number of windows, set by the caller.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = [
            (n, text_field(row, "response", f"{path}:{n}"), row.get("prompt"))
            for n, row in read_jsonl(path)
        ]
        self.used = 0
        self.query = ""
        self.expected = 0

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Return the file's name."""
        return {"responses": self.path.name}

    def answers(
        self, prompts: Sequence[Prompt], max_new_tokens: int, keep: Keep = drop
    ) -> Iterator[tuple[int, Answer]]:
        """Yield the next answers. DataError if the file has no more."""
        for place in range(len(prompts)):
            if self.used == len(self.rows):
                raise DataError(
                    f"{self.path} holds {len(self.rows)} answers, fewer than there are windows: "
                    f"{self.expected} are expected; check --window, --step, --depth and "
                    "--candidates"
                )
            number, text, recorded = self.rows[self.used]
            if isinstance(recorded, str) and not _contains(recorded, self.query):
                raise DataError(
                    f"{self.path}:{number}: the recorded prompt does not hold the query "
                    f"{self.query!r}: answers for other candidates or windows, or in another "
                    "order; check --candidates, --window, --step and --depth"
                )
            self.used += 1
            answer = Answer(text, 0, 0)
            keep(place, answer)
            yield place, answer


def _contains(prompt: str, query: str) -> bool:
    """Whether a prompt contains a query, unchanged or with its encoding repaired."""
    import ftfy

    return query in prompt or ftfy.fix_text(query) in prompt
