"""Pseudo-queries from a collection's own text: pairs to train on where there are no labels.

A passage's start, its title or else its first sentence, is a query for the rest. A headline and its
article are such a pair in MacAvaney et al. (SIGIR 2019), a sentence and the text around it in the
inverse cloze task (Lee et al., ACL 2019). The start is removed from every passage. If it stayed in
the relevant one, the task would be to recognise a copy; if it stayed in the others, to recognise
what is missing.
"""

from __future__ import annotations

import hashlib
import heapq
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from resrank.records import Passage, Query, Split

MIN_QUERY_WORDS = 4
MIN_REST_WORDS = 12
MOST_SHARING = 5
"""The most passages that may begin with the same pseudo-query; more are boilerplate."""
SENTENCE_END = re.compile(r"[.!?][\"')\]]*\s+|\n\s*\n")


class Halves(NamedTuple):
    """A passage's start, which is a query, and the rest, which is relevant to it."""

    query: str
    rest: str


@dataclass(frozen=True)
class PseudoQueries:
    """The pseudo-queries that were drawn from a collection.

    passage_ids: text of a pseudo-query -> the passages that begin with it. too_short: number of
    passages without enough words for two halves. too_common: number of pseudo-queries that were
    drawn and left out, because too many passages begin with them.
    """

    passage_ids: Mapping[str, Sequence[str]]
    too_short: int
    too_common: int

    @property
    def queries(self) -> list[Query]:
        """Return the queries, each with the id of the first passage that begins with it."""
        return [
            Query(f"own_text:{ids[0]}", text, Split.TRAIN) for text, ids in self.passage_ids.items()
        ]

    @property
    def sources(self) -> set[str]:
        """Return the ids of the passages that are relevant to a pseudo-query."""
        return {passage_id for ids in self.passage_ids.values() for passage_id in ids}

    @property
    def counts(self) -> dict[str, int]:
        """Return the numbers of queries drawn and of passages and queries left out."""
        return {
            "pseudo_queries": len(self.passage_ids),
            "passages_too_short": self.too_short,
            "pseudo_queries_too_common": self.too_common,
        }


def split(passage: Passage) -> Halves | None:
    """Return the two halves of a passage; None if it has too few words for them.

    A title or first sentence with too few words is taken together with the next sentence.
    """
    ends = (match.end() for match in SENTENCE_END.finditer(passage.text, passage.title_length))
    for end in chain([passage.title_length], ends):
        query, rest = passage.text[:end].strip(), passage.text[end:].strip()
        if len(query.split()) >= MIN_QUERY_WORDS:
            return Halves(query, rest) if len(rest.split()) >= MIN_REST_WORDS else None
    return None


def without_start(passage: Passage) -> Passage:
    """Return the rest of a passage, or the passage as it is if it has too few words for halves."""
    halves = split(passage)
    return passage if halves is None else Passage(passage.id, halves.rest)


def draw(passages: Iterable[Passage], limit: int) -> PseudoQueries:
    """Return at most `limit` pseudo-queries: those of the passages whose ids' hashes are lowest.

    passages: iterated over twice.
    """
    left_out: Counter[str] = Counter()
    chosen = heapq.nsmallest(limit, _starts(passages, left_out), key=lambda item: _hash(item[0]))
    passage_ids: dict[str, list[str]] = {query: [] for _, query in chosen}
    for passage_id, query in _starts(passages, Counter()):
        if query in passage_ids:
            passage_ids[query].append(passage_id)
    kept = {query: ids for query, ids in passage_ids.items() if len(ids) <= MOST_SHARING}
    return PseudoQueries(kept, left_out["too_short"], len(passage_ids) - len(kept))


def _starts(passages: Iterable[Passage], left_out: Counter[str]) -> Iterator[tuple[str, str]]:
    """Yield a passage's id and its start, and count the passages that are too short."""
    for passage in passages:
        halves = split(passage)
        if halves is None:
            left_out["too_short"] += 1
        else:
            yield passage.id, halves.query


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
