"""Words that a summary and its passage share: `python -m tests.benchmarks.shared_words`.

The queries and the passages of the collection `docstrings` are parts of the same docstrings. This
script counts, over the test queries of both tasks, how many of a query's terms (as BM25 reads them)
are in a relevant passage, in a random one, and in the best other one of BM25. It counts the words
of an object's name too, and test passages of which training has a near copy: half of all runs of
three terms of the two together are in both.
"""

import random
import re
import tempfile
from collections.abc import Iterable
from multiprocessing import get_context
from pathlib import Path
from statistics import mean

from resrank.candidates.bm25 import Bm25Stage
from resrank.candidates.text_analysis import analyse
from resrank.collections.docstrings import DocstringsCollection
from resrank.io.collection import Collection
from resrank.records import Query, Split

SEED = 0
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
NEAR_COPY = 0.5


def name_words(passage_id: str) -> set[str]:
    """Return the terms of the last part of an object's name: `read_csv`, `DataFrame`."""
    return set(analyse(" ".join(WORD.findall(passage_id.rpartition(".")[2]))))


def share(words: set[str], text: str) -> float | None:
    """Return the share of words that a text contains; None without words."""
    return len(words & set(analyse(text))) / len(words) if words else None


def average(shares: Iterable[float | None]) -> float:
    return mean(x for x in shares if x is not None)


def others(collection: Collection, queries: list[Query]) -> tuple[dict[str, str], dict[str, str]]:
    """Return query id -> a random passage, and BM25's best, of those that are not relevant."""
    qrels, rng = collection.qrels(), random.Random(SEED)
    ids = [p.id for p in collection.passages]
    ranked = Bm25Stage(kind="bm25", depth=50).rank(queries, collection.passages)
    chance, best = {}, {}
    for query in queries:
        barred = {*qrels[query.id], query.excluded}
        chance[query.id] = next(p for p in iter(lambda: rng.choice(ids), None) if p not in barred)
        best[query.id] = next((p for p, _ in ranked[query.id] if p not in barred), chance[query.id])
    return chance, best


def runs_of_three(text: str) -> set[tuple[str, ...]]:
    terms = analyse(text)
    return set(zip(terms, terms[1:], terms[2:], strict=False))


def near_copies(texts: dict[str, str], tested: set[str], trained: set[str]) -> float:
    """Return the share of test passages of which training has a near copy."""
    with_run: dict[tuple[str, ...], list[int]] = {}
    runs = [runs_of_three(texts[p]) for p in sorted(trained)]
    for place, of_passage in enumerate(runs):
        for run in of_passage:
            with_run.setdefault(run, []).append(place)

    def is_near(own_runs: set[tuple[str, ...]]) -> bool:
        common: dict[int, int] = {}
        for run in own_runs:
            for place in with_run.get(run, ()):
                common[place] = common.get(place, 0) + 1
        return any(
            n / len(own_runs | runs[place]) >= NEAR_COPY
            for place, n in common.items()
            if 2 * n >= len(own_runs)
        )

    return mean(is_near(runs_of_three(texts[p])) for p in tested)


def describe(task: str, collection: Collection) -> None:
    """Print one task's table."""
    queries, qrels = collection.queries(Split.TEST), collection.qrels()
    texts = {p.id: p.text for p in collection.passages}
    chance, best = others(collection, queries)
    relevant = {q.id: sorted(qrels[q.id]) for q in queries}
    kinds = {
        "relevant": relevant,
        "random": {q: [p] for q, p in chance.items()},
        "BM25's best other": {q: [p] for q, p in best.items()},
    }
    print(f"\nTask {task}: {len(queries)} test queries, {len(texts):,} passages.\n")
    print(
        "| passage | terms of the query in it | queries with every term in it | name's words in it |"
    )
    print("| :-- | --: | --: | --: |")
    for kind, passages in kinds.items():
        terms, names = {}, {}
        for q in queries:
            words, named = set(analyse(q.text)), name_words(q.id)
            terms[q.id] = average(share(words, texts[p]) for p in passages[q.id]) if words else None
            names[q.id] = average(share(named, texts[p]) for p in passages[q.id]) if named else None
        whole = mean(n == 1 for n in terms.values() if n is not None)
        print(f"| {kind} | {average(terms.values()):.1%} | {whole:.1%} | {average(names.values()):.1%} |")  # fmt: skip
    in_query = average(share(name_words(q.id), q.text) for q in queries)
    verbatim = mean(
        any(q.text.lower() in texts[p].lower() for p in relevant[q.id]) for q in queries
    )
    positives = {s: {p for grades in collection.qrels(s).values() for p in grades} for s in Split}
    near = near_copies(texts, positives[Split.TEST], positives[Split.TRAIN])
    exact = mean(p in positives[Split.TRAIN] for p in positives[Split.TEST])
    print(f"\nWords of the name that are in the query: {in_query:.1%}. Queries that stand whole in a "
          f"relevant passage: {verbatim:.1%}.\nTest positives that are training positives: "
          f"{exact:.1%}; that have a near copy among them: {near:.1%}.")  # fmt: skip


def collect_and_describe(task: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        spec = DocstringsCollection(kind="docstrings", task=task)
        spec.collect(Path(folder) / task)
        describe(task, Collection(Path(folder) / task))


def main() -> None:
    """Each task has a process of its own, as a job has: reading imports what is read."""
    for task in ("description", "related"):
        process = get_context("spawn").Process(target=collect_and_describe, args=(task,))
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(process.exitcode)


if __name__ == "__main__":
    main()
