"""The kind `ir_datasets`: a collection by its ir_datasets id (MacAvaney et al., SIGIR 2021).

ir_datasets knows how each collection's files are to be read, MS MARCO's broken encoding among it.
Files are fetched here. ir_datasets takes a file with the right checksum from its folder of
downloads, so the files that an entry names are put there, checked.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from filelock import FileLock
from pydantic import Field, field_validator
from tqdm import tqdm

from resrank.collections.base import CollectionKind
from resrank.collections.remote_file import RemoteFile
from resrank.io.atomic import NoRoom
from resrank.io.collection_content import CollectionContent
from resrank.io.data_folder import data_folder
from resrank.io.hashing import sha256_file
from resrank.io.text import DataError
from resrank.records import Passage, Qrels, Query, Split


class IrDatasetsCollection(CollectionKind):
    """A collection by its ir_datasets id, whole or a part of its queries."""

    passage_text: ClassVar[str] = "ir_datasets' default text"
    preparation: ClassVar[str] = "ir_datasets fetches what it needs"
    fetches_by_itself: ClassVar[bool] = True

    kind: Literal["ir_datasets"]
    dataset: str = Field(description="Its id, e.g. msmarco-passage/trec-dl-2019/judged.")
    train: str | None = Field(None, description="Id of its train queries and qrels, if any.")
    dev: str | None = Field(None, description="Id of its dev queries and qrels, if any.")
    files: list[RemoteFile] = Field(
        [],
        description="Its files, to be fetched and checked here; ir_datasets fetches files that "
        "are not named.",
    )

    @field_validator("files")
    @classmethod
    def _by_md5(cls, value: list[RemoteFile]) -> list[RemoteFile]:
        for file in value:
            if not file.checksum.startswith("md5:"):
                raise ValueError(f"{file.url}: ir_datasets knows files by md5; give that checksum")
        return value

    def remote_files(self) -> list[RemoteFile]:
        """Return the files that the entry names."""
        return self.files

    def has_train_split(self) -> bool:
        """Return whether the entry names train queries."""
        return self.train is not None

    def write(self, out: Path) -> None:
        """Fetch the named files, read the collection, check it, and write the common form."""
        from resrank.collections.fetch import local_copy
        from resrank.io.passage_table import RepeatedPassage

        paths = [local_copy(file) for file in self.files]
        home = Path(os.environ.get("IR_DATASETS_HOME") or data_folder() / "ir_datasets")
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / "resrank.lock"):  # two jobs must not unpack one file into one place
            _offer(zip(self.files, paths, strict=True), home / "downloads")
            try:
                self._write(paths, home, out)
            except NoRoom:
                raise
            except (OSError, RuntimeError) as error:  # requests' errors are OSErrors
                raise DataError(
                    f"ir_datasets could not read {self.dataset}: {error}. Files that `files` does "
                    "not name it fetches by itself, from no mirror"
                ) from error
            except RepeatedPassage as error:
                raise DataError(f"{self.dataset}: {error}") from error

    def _write(self, paths: Sequence[Path], home: Path, out: Path) -> None:
        from resrank.collections.checks import check_passages, check_queries

        named = {Split.TEST: self.dataset, Split.DEV: self.dev, Split.TRAIN: self.train}
        parts = {split: _load(name, home) for split, name in named.items() if name}
        judged: dict[Path, Qrels] = {}
        queries: dict[str, Query] = {}
        qrels: dict[str, Mapping[str, int]] = {}
        for split, part in parts.items():
            texts = {q.query_id: q.default_text() for q in part.queries_iter()}
            name = Path(named[split] or "")
            judged[name] = _judgments(part)
            check_queries(judged[name], texts, name)
            for query_id, grades in judged[name].items():
                if query_id not in queries:  # the first of test, dev and train that judges it
                    queries[query_id] = Query(query_id, texts.get(query_id, ""), split)
                    qrels[query_id] = grades
        test = Path(self.dataset)
        passages = _passages(self.dataset, parts[Split.TEST])
        self.write_content(
            out,
            CollectionContent(list(queries.values()), passages, qrels, titled=True),
            {path.name: sha256_file(path) for path in paths},
            lambda counts: check_passages(counts, judged, self.counts, test, test),
            text_fields="what ir_datasets gives as a document's default text",
        )


def _judgments(part: Any) -> Qrels:
    judged: dict[str, dict[str, int]] = {}
    for row in part.qrels_iter():
        judged.setdefault(row.query_id, {})[row.doc_id] = row.relevance
    return judged


def _offer(files: Iterable[tuple[RemoteFile, Path]], downloads: Path) -> None:
    """Put fetched files where ir_datasets looks for a file of their checksum."""
    downloads.mkdir(parents=True, exist_ok=True)
    for file, path in files:
        place = downloads / file.checksum.partition(":")[2]
        if not place.exists():
            place.unlink(missing_ok=True)  # a link to nowhere
            place.symlink_to(path.resolve())


def _load(name: str, home: Path) -> Any:
    """Return a part of ir_datasets, kept under `home`. DataError if the id is unknown."""
    os.environ["IR_DATASETS_HOME"] = str(home)
    os.environ["IR_DATASETS_SMALL_FILE_SIZE"] = "0"  # look for small files there too
    import ir_datasets

    try:
        part = ir_datasets.load(name)
    except KeyError as error:
        raise DataError(
            f"ir_datasets knows no collection {name!r}; its catalogue lists all"
        ) from error
    if not (part.has_docs() and part.has_queries() and part.has_qrels()):
        raise DataError(f"{name} has no judged queries; name a part that has, as .../test")
    return part


def _passages(name: str, part: Any) -> Iterator[Passage]:
    for row in tqdm(part.docs_iter(), total=part.docs_count(), desc=f"reading {name}"):
        text, title = row.default_text().strip(), (row._asdict().get("title") or "").strip()
        yield Passage(row.doc_id, text, len(title) if text.startswith(title) else 0)
