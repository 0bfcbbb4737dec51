"""The base class of every kind of collection: its behaviour, with defaults."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from resrank.collections.counting import Sizes, least
from resrank.collections.file_locations import address_of, in_mirror, is_here
from resrank.collections.options import CollectionOptions
from resrank.collections.remote_file import RemoteFile
from resrank.collections.sampling import sample
from resrank.collections.three_grades import three_grades
from resrank.io.collection_content import CollectionContent, PassageCounts
from resrank.io.text import DataError
from resrank.records import Split


class CollectionKind(CollectionOptions):
    """A kind of collection. A subclass adds its options and defines `write`."""

    passage_text: ClassVar[str] = "the passage's text"
    """Which text of the source is a passage's text; for the catalogue."""
    preparation: ClassVar[str] = "read on this machine"
    """How a collection without remote files is made; for `plan`."""
    fetches_by_itself: ClassVar[bool] = False
    """Whether making it may fetch more than `remote_files` lists."""
    brings_lists: ClassVar[bool] = False
    """Whether candidate lists come with it, so that only the first stage `imported` suits it."""

    @abstractmethod
    def write(self, out: Path) -> None:
        """Read the source and write the collection under `out`, by `write_content`."""

    def remote_files(self) -> list[RemoteFile]:
        """Return the files that are fetched."""
        return []

    def local_paths(self) -> dict[str, Path]:
        """Return the user's files and folders that must exist, by the option that names them."""
        return {}

    def source_files(self) -> list[Path]:
        """Return the user's files that are read: a change of one makes the collection again."""
        return [path for path in self.local_paths().values() if path.is_file()]

    def count_files(self) -> Sizes:
        """Count in the user's files what `sizes` needs."""
        return Sizes()

    def has_train_split(self) -> bool:
        """Return whether systems can be trained on it, as far as that is known."""
        return False

    def train_split_is_certain(self) -> bool:
        """Return whether `has_train_split` is certain before the collection is fetched."""
        return True

    def stages(self, default: Sequence[str]) -> list[str]:
        """Return the first stages that it is evaluated under. default: the suite's."""
        return list(default) if self.first_stages is None else self.first_stages

    def grades_text(self) -> str:
        """Say which grades count as 1 and as 2 of three; for the catalogue."""
        if self.grades_from is None:
            return "–"
        partly, fully = self.grades_from
        return f"1: {partly}, 2: {fully}" if partly < fully else f"2: {fully}"

    def sizes(self) -> Sizes:
        """Return the sizes that are known without a network: stated, counted, cut to samples."""
        stated, counted = self.counts, self.count_files()
        test = counted.test_queries if stated.test_queries is None else stated.test_queries
        return Sizes(
            counted.passages if stated.passages is None else stated.passages,
            least(test, self.test_sample),
            least(counted.train_queries, self.train_sample),
        )

    def out_of_reach(self) -> list[RemoteFile]:
        """Return the files that only a network can give."""
        return [f for f in self.remote_files() if not (is_here(f) or in_mirror(f))]

    def lacks(self, offline: bool) -> str | None:
        """Say why the collection cannot be had, if that is known before it is fetched."""
        for path in self.local_paths().values():
            if not path.exists():
                return f"no {path}"
        names = ", ".join(file.name for file in self.out_of_reach()) if offline else ""
        return f"offline, and {names} not here" if names else None

    def show_terms(self) -> None:
        """Print the terms, if there are any and something is still to be fetched."""
        files = self.remote_files()
        fetched = not all(map(is_here, files)) if files else self.fetches_by_itself
        if self.terms and fetched:
            line = f"{self.source}: {self.terms} (licence: {self.licence})"
            print(line, file=sys.stderr, flush=True)

    def fetch(self) -> str | None:
        """Fetch an optional collection; return why its files are unreachable, else None.

        Any other failure raises FetchError, as for a required collection.
        """
        from resrank.collections.fetch import Unreachable, fetch

        self.show_terms()
        for file in self.remote_files():
            try:
                fetch(file)
            except Unreachable as error:
                print(error, file=sys.stderr)
                # The same words each time, so that tables that quote them are not made again.
                return f"no network: {urlsplit(address_of(file)).netloc} did not answer"
        return None

    def collect(self, out: Path, learners: Sequence[str] = ()) -> None:
        """Write the collection under `out` in the common form; the terms are printed first.

        learners: systems that are to be trained on it. Raises DataError if it has no train query
        for them.
        """
        from resrank.io.collection import Collection

        self.show_terms()
        self.write(out)
        if learners and not Collection(out).queries(Split.TRAIN):
            raise DataError(
                f"{self.source}: it has no train query, but {', '.join(learners)} would be trained "
                "on it; name another collection in `trained_on`"
            )

    def write_content(
        self,
        out: Path,
        content: CollectionContent,
        inputs: Mapping[str, Path | str],
        check: Callable[[PassageCounts], None] | None = None,
        **facts: Any,
    ) -> None:
        """Write the content in the common form, with this entry and its origin in the manifest.

        inputs: name -> a file, or its hash or version. check: raises DataError on passages that
        are not what they should be; nothing is written then. facts: more for the manifest.
        """
        from resrank.io.collection_writer import write_collection

        graded = content.graded
        queries = content.queries
        if self.exclude_same_id:
            queries = [replace(query, excluded=query.excluded or query.id) for query in queries]
        complete = CollectionContent(
            queries=sample(queries, self.test_sample, self.train_sample),
            passages=content.passages,
            qrels=content.qrels,
            graded=three_grades(content.qrels, self.grades_from) if graded is None else graded,
            imported=content.imported,
            titled=content.titled,
        )
        origin = {
            "source": self.source,
            "version": self.version,
            "licence": self.licence,
            "terms": self.terms,
            "test_sample": self.test_sample,
            "train_sample": self.train_sample,
        }
        config = self.model_dump(mode="json")
        write_collection(out, complete, config, inputs, check, origin | facts)
