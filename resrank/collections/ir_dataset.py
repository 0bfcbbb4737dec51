"""A collection by its ir_datasets id (MacAvaney et al., SIGIR 2021): fetched here, read there.

ir_datasets knows how each collection's files are to be read, MS MARCO's broken encoding among it.
It takes a file of this checksum from its folder of downloads, so the files that an entry names are
put there, checked.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock
from tqdm import tqdm

from resrank.collections.checks import check_passages, check_queries
from resrank.collections.kinds import IrDatasetsCollection
from resrank.collections.origin import facts, local_file
from resrank.collections.sampling import sample
from resrank.collections.three_grades import three_grades
from resrank.io.atomic import NoRoom
from resrank.io.collection import write_collection
from resrank.io.data_folder import data_folder
from resrank.io.hashing import sha256_file
from resrank.io.passage_table import StandsTwice
from resrank.io.text import DataError
from resrank.records import Passage, Qrels, Query, Split


def collect(spec: IrDatasetsCollection, out: Path) -> None:
    """Fetch what the entry names, read the collection, check it, and write the common form."""
    paths = [local_file(spec, file) for file in spec.files]
    home = Path(os.environ.get("IR_DATASETS_HOME") or data_folder() / "ir_datasets")
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "resrank.lock"):  # two jobs must not unpack one file into one place
        _offer(zip(spec.files, paths, strict=True), home / "downloads")
        try:
            _collect(spec, paths, home, out)
        except NoRoom:
            raise
        except (OSError, RuntimeError) as error:  # requests' errors are OSErrors
            raise DataError(
                f"ir_datasets could not read {spec.dataset}: {error}. What `files` does not name "
                "it fetches by itself, from no mirror"
            ) from error
        except StandsTwice as error:
            raise DataError(f"{spec.dataset}: {error}") from error


def _collect(spec: IrDatasetsCollection, paths: Sequence[Path], home: Path, out: Path) -> None:
    named = {Split.TEST: spec.dataset, Split.DEV: spec.dev, Split.TRAIN: spec.train}
    parts = {split: _load(name, home) for split, name in named.items() if name}
    by_file: dict[Path, Qrels] = {}
    queries: dict[str, Query] = {}
    qrels: dict[str, dict[str, int]] = {}
    for split, part in parts.items():
        texts = {q.query_id: q.default_text() for q in part.queries_iter()}
        judged: dict[str, dict[str, int]] = {}
        for row in part.qrels_iter():
            judged.setdefault(row.query_id, {})[row.doc_id] = row.relevance
        name = Path(named[split] or "")
        check_queries(judged, texts, name)
        by_file[name] = judged
        for query_id, grades in judged.items():
            if query_id not in queries:  # of test, dev, train, the first that judges it
                queries[query_id] = Query(query_id, texts.get(query_id, ""), split)
                qrels[query_id] = grades
    write_collection(
        out,
        sample(list(queries.values()), spec.test_sample, spec.train_sample),
        _passages(spec.dataset, parts[Split.TEST]),
        qrels,
        config=spec.model_dump(mode="json"),
        graded=three_grades(qrels, spec.grades_from),
        inputs={path.name: sha256_file(path) for path in paths},
        check=lambda seen: check_passages(
            seen, by_file, spec.counts, Path(spec.dataset), Path(spec.dataset)
        ),
        test_sample=spec.test_sample,
        train_sample=spec.train_sample,
        text_fields="what ir_datasets gives as a document's default text",
        **facts(spec),
    )


def _offer(files: Iterable[tuple[Any, Path]], downloads: Path) -> None:
    """Put fetched files where ir_datasets looks for a file of their checksum."""
    downloads.mkdir(parents=True, exist_ok=True)
    for file, path in files:
        place = downloads / file.checksum.partition(":")[2]
        if not place.exists():
            place.unlink(missing_ok=True)  # a link to nowhere
            place.symlink_to(path.resolve())


def _load(name: str, home: Path) -> Any:
    """A part of ir_datasets, kept under `home`. DataError if it does not know the id."""
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
        yield Passage(row.doc_id, row.default_text().strip())
