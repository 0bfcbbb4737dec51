"""The kind `beir`: a folder in BEIR layout, the user's own or in a zip that is fetched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from resrank.collections.base import CollectionKind
from resrank.collections.beir_folder import (
    corpus_of,
    line_of_repeat,
    qrels_of,
    queries_of,
    read_passages,
    read_queries,
)
from resrank.collections.counting import Sizes, count_lines, judged_queries
from resrank.collections.remote_file import RemoteFile, remote_only
from resrank.io.collection_content import CollectionContent
from resrank.io.text import DataError
from resrank.io.trec import read_qrels
from resrank.records import Qrels, Query, Split


class BeirCollection(CollectionKind):
    """A folder in BEIR layout: corpus.jsonl, queries.jsonl, qrels/<split>.tsv, plain or gzip."""

    passage_text: ClassVar[str] = "title and text"

    kind: Literal["beir"]
    path: Path | None = Field(
        None, description="The folder, relative to the working directory; or an `archive`."
    )
    archive: RemoteFile | None = Field(None, description="A zip of the folder, to be fetched.")
    folder: str = Field("", description="The folder inside the zip.")
    unpacked_bytes: int = Field(
        20_000_000_000, ge=1, description="Largest size of the zip's content, in bytes."
    )
    test: str = Field("test", description="Name of the qrels file used for testing.")
    train: str | None = Field(
        "train", description="Name of the qrels file used for training, if the folder has it."
    )
    dev: str | None = Field(
        "dev", description="Name of the qrels file used for early stopping, if the folder has it."
    )

    @model_validator(mode="after")
    def _one_origin(self) -> BeirCollection:
        if (self.path is None) == (self.archive is None):
            raise ValueError("give either `path`, a folder, or `archive`, a zip to be fetched")
        return self

    def remote_files(self) -> list[RemoteFile]:
        """Return the zip, if there is one."""
        return remote_only(self.archive)

    def local_paths(self) -> dict[str, Path]:
        """Return the folder, if it is the user's."""
        return {} if self.path is None else {"path": self.path}

    def source_files(self) -> list[Path]:
        """Return the files of the user's folder that are read."""
        if self.path is None:
            return []
        qrels = [qrels_of(self.path, name) for name in (self.test, self.train, self.dev) if name]
        paths = [corpus_of(self.path), queries_of(self.path), *qrels]
        return [path for path in paths if path.is_file()]

    def count_files(self) -> Sizes:
        """Count the lines of the user's corpus and the queries of its judgments."""
        if self.path is None:
            return Sizes()
        return Sizes(
            count_lines(corpus_of(self.path)),
            judged_queries(qrels_of(self.path, self.test)),
            judged_queries(qrels_of(self.path, self.train)) if self.train else None,
        )

    def has_train_split(self) -> bool:
        """Return whether the folder has train qrels; a zip is assumed to have them."""
        if self.train is None:
            return False
        return self.path is None or qrels_of(self.path, self.train).is_file()

    def train_split_is_certain(self) -> bool:
        """Return whether the folder is here."""
        return self.archive is None

    def write(self, out: Path) -> None:
        """Read the folder, check it, and write it in the common form under `out`.

        Raises DataError that names the file and the line of a mistake.
        """
        from resrank.collections.checks import check_passages, check_queries
        from resrank.io.passage_table import RepeatedPassage

        folder = self._local_folder()
        files = self._split_files(folder)
        corpus, queries_file = corpus_of(folder), queries_of(folder)
        texts = read_queries(queries_file)
        judged = {split: read_qrels(path) for split, path in files.items()}
        for split, qrels in judged.items():
            check_queries(qrels, texts, files[split])
        splits, merged = _merge(judged)
        queries = [Query(q, text, splits.get(q, Split.HELD_OUT)) for q, text in texts.items()]
        queries += [Query(q, "", split) for q, split in splits.items() if q not in texts]
        inputs = [corpus, queries_file, *files.values()]
        try:
            self.write_content(
                out,
                CollectionContent(queries, read_passages(corpus), merged, titled=True),
                {path.name: path for path in inputs},
                lambda counts: check_passages(
                    counts,
                    {files[split]: qrels for split, qrels in judged.items()},
                    self.counts,
                    files[Split.TEST],
                    folder,
                ),
                text_fields="title + ' ' + text",
                queries_in_several_splits=sum(map(len, judged.values())) - len(merged),
            )
        except RepeatedPassage as error:
            line = line_of_repeat(corpus, error.passage_id)
            raise DataError(f"{corpus}:{line}: {error}") from error

    def _local_folder(self) -> Path:
        """Return the folder on this machine: the user's, or unpacked from the zip."""
        if self.archive is not None:
            return self._unpacked(self.archive)
        assert self.path is not None
        if not self.path.is_dir():
            raise DataError(
                f"no folder {self.path} (from {Path.cwd()}); a BEIR folder holds corpus.jsonl, "
                "queries.jsonl and qrels/<split>.tsv"
            )
        return self.path

    def _unpacked(self, archive: RemoteFile) -> Path:
        from resrank.collections.archives import unpack
        from resrank.collections.fetch import local_copy

        folder = unpack(local_copy(archive), self.unpacked_bytes) / self.folder
        if not corpus_of(folder).is_file():
            names = sorted(p.name for p in folder.parent.glob("*")) or ["nothing"]
            raise DataError(
                f"{archive.name}: no corpus.jsonl in its folder {self.folder!r}; beside it: "
                f"{', '.join(names[:8])}"
            )
        return folder

    def _split_files(self, folder: Path) -> dict[Split, Path]:
        """Return the qrels file of each split that the folder has; the test file is required."""
        named = {Split.TEST: self.test, Split.DEV: self.dev, Split.TRAIN: self.train}
        files = {s: qrels_of(folder, name) for s, name in named.items() if name}
        if not files[Split.TEST].is_file():
            names = ", ".join(sorted(p.name for p in (folder / "qrels").glob("*.tsv*"))) or "none"
            raise DataError(f"no {files[Split.TEST]}; the folder's qrels: {names}")
        return {split: path for split, path in files.items() if path.is_file()}


def _merge(judged: Mapping[Split, Qrels]) -> tuple[dict[str, Split], Qrels]:
    """Return each query's split and its judgments: of the first split that judges it."""
    splits: dict[str, Split] = {}
    merged: dict[str, Mapping[str, int]] = {}
    for split, qrels in judged.items():
        for query_id, grades in qrels.items():
            if query_id not in splits:
                splits[query_id], merged[query_id] = split, grades
    return splits, merged
