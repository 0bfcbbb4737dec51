"""The kind `candidates`: published candidate lists with their text, and TREC qrels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from resrank.collections.base import CollectionKind
from resrank.collections.counting import Sizes, judged_queries
from resrank.collections.rankllm import ImportedList, read_lists
from resrank.collections.remote_file import LocalOrRemote, RemoteFile, remote_only
from resrank.io.collection_content import CollectionContent
from resrank.io.text import DataError
from resrank.io.trec import read_qrels
from resrank.options import short_repr
from resrank.records import Passage, Query


class CandidatesCollection(CollectionKind):
    """Imported candidates with text (RankLLM JSON or JSONL) and TREC qrels."""

    passage_text: ClassVar[str] = "the candidate's text"
    brings_lists: ClassVar[bool] = True

    kind: Literal["candidates"]
    path: LocalOrRemote = Field(
        description="The candidates, .json or .jsonl: a file or an address."
    )
    qrels: LocalOrRemote = Field(description="TREC qrels (or BEIR tsv), a file or an address.")

    def remote_files(self) -> list[RemoteFile]:
        """Return the candidates and the qrels, where they are given by address."""
        return remote_only(self.path, self.qrels)

    def local_paths(self) -> dict[str, Path]:
        """Return the candidates and the qrels, where they are the user's files."""
        options = {"path": self.path, "qrels": self.qrels}
        return {name: path for name, path in options.items() if isinstance(path, Path)}

    def count_files(self) -> Sizes:
        """Count the queries of the user's judgments."""
        test = judged_queries(self.qrels) if isinstance(self.qrels, Path) else None
        return Sizes(test_queries=test)

    def stages(self, default: Sequence[str]) -> list[str]:
        """Return the lists that came with it, unless its entry names first stages."""
        return super().stages(["imported"])

    def write(self, out: Path) -> None:
        """Read candidates and qrels, check them, and write the common form and the lists.

        Raises DataError that names the file and the place of a mistake.
        """
        from resrank.collections.checks import check_passages, check_queries
        from resrank.collections.fetch import local_copy

        path, judged = local_copy(self.path), local_copy(self.qrels)
        lists = read_lists(path)
        qrels = read_qrels(judged)
        texts = {item.query_id: item.text for item in lists}
        check_queries(qrels, texts, judged)
        self.write_content(
            out,
            CollectionContent(
                [Query(query_id, texts.get(query_id, "")) for query_id in qrels],
                _passages(lists, path),
                qrels,
                imported={i.query_id: [(h.passage_id, h.score) for h in i.hits] for i in lists},
            ),
            {"candidates": path, "qrels": judged},
            lambda counts: check_passages(counts, {judged: qrels}, self.counts, judged, path),
            text_fields="the candidate's text; a leading 'Title: ... Content: ' is unwrapped",
            unjudged_queries_left_out=len(texts.keys() - qrels.keys()),
        )


def _passages(lists: Sequence[ImportedList], path: Path) -> list[Passage]:
    """Return each passage once. Raises DataError if an id has two texts."""
    texts: dict[str, str] = {}
    for item in lists:
        for hit in item.hits:
            if texts.setdefault(hit.passage_id, hit.text) != hit.text:
                raise DataError(
                    f"{path}: passage {short_repr(hit.passage_id)} has two texts (one of them "
                    f"under query {short_repr(item.query_id)}); an id must name one text"
                )
    return [Passage(passage_id, text) for passage_id, text in texts.items()]
