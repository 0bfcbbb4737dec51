"""Stage I's documents: evidence that the first stage found for a query, made into one text.

They are streamed into a file, a line a query, and read from it by their place: of a corpus of any
size, only the places of its lines are held.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from baselines.llm.transcript import Recorded
from baselines.rag_match.prompts import for_writer
from baselines.rag_match.terms import sentences, terms
from resrank.collections.rankllm import stream_lists
from resrank.io.atomic import atomic_file
from resrank.io.manifest import checked_line, read_line
from resrank.records import TrainingExample

BLOCK = 256  # queries whose documents are asked for at once


class Found(NamedTuple):
    """A query with the texts that the first stage found for it, best first."""

    query: str
    evidence: tuple[str, ...]


class Document(NamedTuple):
    """A query and the document made for it; empty if there was no evidence."""

    query: str
    text: str


class Synthesises(Protocol):
    """Makes one document of each query's evidence."""

    def __call__(self, found: Sequence[Found]) -> Sequence[str]:
        """A text a query."""
        ...


class Extracts:
    """The evidence's sentences that share most terms with the query, in their order."""

    def __init__(self, words: int) -> None:
        self.words = words

    def __call__(self, found: Sequence[Found]) -> list[str]:
        """A text a query, of at most so many words."""
        return [self._one(item) for item in found]

    def _one(self, found: Found) -> str:
        asked = terms(found.query)
        told = [line for text in found.evidence for line in sentences(text)]
        best = sorted(range(len(told)), key=lambda i: -len(asked & terms(told[i])))
        kept, room = best[:1], self.words - len(told[best[0]].split()) if best else 0
        for place in best[1:]:
            length = len(told[place].split())
            if length <= room:
                kept.append(place)
                room -= length
        return " ".join(" ".join(told[i] for i in sorted(kept)).split()[: self.words])


class Writes:
    """A language model that is given the evidence; its answers are recorded."""

    def __init__(self, model: Recorded, words: int, max_new_tokens: int) -> None:
        self.model = model
        self.words = words
        self.max_new_tokens = max_new_tokens

    def __call__(self, found: Sequence[Found]) -> list[str]:
        """A text a query, of at most so many words; none is asked for without evidence."""
        told = [place for place, item in enumerate(found) if item.evidence]
        prompts = [for_writer(found[i].query, found[i].evidence, self.words) for i in told]
        texts = [""] * len(found)
        for number, answer in self.model.answers(prompts, self.max_new_tokens):
            texts[told[number]] = " ".join(answer.text.split()[: self.words])
        return texts


class Documents(Sequence[Document]):
    """A file of documents, read by place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.starts = array("q", [0])
        with path.open("rb") as file:
            for line in file:
                self.starts.append(self.starts[-1] + len(line))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, place: Any) -> Any:
        """The document at a place. Damaged if it is not as it was written."""
        with self.path.open("rb") as file:
            file.seek(self.starts[range(len(self))[place]])
            row = read_line(file.readline(), self.path, place + 1, "delete it, and train again")
            return Document(row["query"], row["text"])


def write_documents(path: Path, found: Iterable[Found], synthesise: Synthesises) -> None:
    """Make every query's document and write them to `path`, whole or not at all."""
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        left = iter(found)
        while block := list(islice(left, BLOCK)):
            for item, text in zip(block, synthesise(block), strict=True):
                file.write(checked_line({"query": item.query, "text": text}))


def evidence(examples: Iterable[TrainingExample], more: Path | None, size: int) -> Iterator[Found]:
    """The training queries with their first candidates, then those of an exported file."""
    for example in examples:
        yield Found(example.query.text, tuple(c.passage.text for c in example.candidates[:size]))
    if more is not None:
        for _, item in stream_lists(more):
            yield Found(item.text, tuple(hit.text for hit in item.hits[:size]))
