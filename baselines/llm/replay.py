"""A ranking from answers that were recorded elsewhere: no model, no collection, no suite."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from baselines.llm.model import ReplayOptions
from baselines.llm.parsing import Rule
from baselines.llm.recordings import InOrder
from baselines.rankgpt import RankGPT
from resrank.collections.imported import read_lists
from resrank.collections.jsonl import DataError
from resrank.records import Candidate, Passage, Query, Usage
from resrank.store import write_run, write_usage
from resrank.windows import Window, spans


def replay(
    candidates: Path, responses: Path, window: Window, parser: Rule, depth: int, out: Path
) -> Usage:
    """Rerank each query's candidates by the answers, in the order in which they were given.

    Writes a TREC run to `out` and what each query used beside it; returns the sum. DataError if
    there are fewer or more answers than windows, or a recorded prompt is another query's.
    """
    model = InOrder(responses)
    options = RankGPT.Options(
        llm=ReplayOptions(kind="replay", transcript=responses), window=window, parser=parser
    )
    reranker = RankGPT(options, model)
    lists = read_lists(candidates)
    model.expected = window.passes * sum(
        len(list(spans(len(item.hits[:depth]), window))) for item in lists
    )
    rankings = []
    for item in tqdm(lists, desc="replaying", unit="query"):  # in the answers' own order
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
    write_usage(out.with_suffix(".usage.parquet"), rankings)
    return sum((r.usage for r in rankings), Usage())
