"""The base class of every kind of first stage: common options, and behaviour with its defaults."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from pydantic import Field

from resrank.model.options import EncoderOptions
from resrank.options import Strict
from resrank.records import Query, Split

if TYPE_CHECKING:  # importing them takes half a second, which planning does not need
    from resrank.collections.base import CollectionKind
    from resrank.io.candidates import RankedList
    from resrank.io.collection import Collection

SPLITS = (Split.TRAIN, Split.DEV, Split.TEST)


@dataclass(frozen=True)
class StageInputs:
    """The input of a first stage: a collection, and what other jobs have made of it.

    store: the folder of passage embeddings. shard_stores: the stores that shards have filled, in
    their order. fused: the candidates of each first stage that a fusion names.
    """

    collection: Collection
    store: Path | None = None
    shard_stores: Sequence[Path] = ()
    fused: Mapping[str, Path] = field(default_factory=dict)

    @property
    def queries(self) -> list[Query]:
        """The queries of all splits that have a text."""
        return [query for query in self.collection.queries(*SPLITS) if query.text]


class WrittenLists(NamedTuple):
    """Candidate lists that were written, and what their manifest says of them.

    inputs: name -> file or hash, beside the collection and fused candidates. origin: the manifest
    that came with lists made elsewhere.
    """

    lists: Mapping[str, RankedList]
    hash: str
    inputs: Mapping[str, Path | str] = {}
    origin: Mapping[str, Any] | None = None


class FirstStageKind(Strict):
    """A kind of first stage. A subclass adds its options and defines `search`."""

    needs_all_cores: ClassVar[bool] = False
    """Whether its job uses every processor core; else it uses one."""

    kind: str = Field(description="A registered kind, or 'package.module:Class'.")
    depth: int = Field(100, ge=1, description="Candidates per query.")

    @abstractmethod
    def search(self, inputs: StageInputs) -> Mapping[str, RankedList]:
        """Return query id -> at most `depth` (passage id, score) pairs, best first.

        A query's excluded passage is never among them. A query without a text has no list.
        """

    def write(self, inputs: StageInputs, out: Path) -> WrittenLists:
        """Write the lists to `out`, a parquet file."""
        from resrank.io.candidates import write_candidates

        lists = self.search(inputs)
        return WrittenLists(lists, write_candidates(out, lists))

    def suits(self, collection: CollectionKind) -> bool:
        """Return whether it can make lists for a collection."""
        return not collection.brings_lists

    def names_of_fused(self) -> list[str]:
        """Return the names of the first stages whose lists it fuses."""
        return []

    def passage_encoder(self) -> EncoderOptions | None:
        """Return the encoder with which it embeds every passage of a collection, if it does."""
        return None

    def trained_models(self) -> list[str]:
        """Return the names of the trained systems whose models it uses."""
        return []

    def with_models(self, folder_of: Callable[[str], str]) -> Self:
        """Return it with each trained system's name replaced by the model's folder."""
        return self

    def with_instruction(self, text: str) -> Self:
        """Return it with `{instruction}` in its texts replaced by a collection's instruction."""
        return self

    def local_paths(self) -> dict[str, Path]:
        """Return the user's files and folders that must exist, by the option that names them."""
        return {}

    def source_files(self) -> list[Path]:
        """Return the user's files that are read: a change of one makes the lists again."""
        return [path for path in self.local_paths().values() if path.is_file()]

    def cut(
        self, lists: Mapping[str, RankedList], queries: Iterable[Query]
    ) -> dict[str, RankedList]:
        """Return the queries' lists without excluded passages, cut to `depth`."""
        return {
            query.id: [item for item in lists[query.id] if item[0] != query.excluded][: self.depth]
            for query in queries
            if query.id in lists
        }
