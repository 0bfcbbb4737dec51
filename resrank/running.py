"""The jobs between files and rerankers: train, rerank, measure."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from resrank.candidates.texts import candidate_lists
from resrank.config import Measurement, System
from resrank.files import (
    environment,
    hashed,
    sha256_file,
    sha256_lines,
    sources_hash,
    write_manifest,
    write_sealed,
    write_text,
)
from resrank.grades import grades_of, write_grades
from resrank.halving import Halvings
from resrank.invariants import verify
from resrank.model.options import EncoderOptions
from resrank.outputs import check_model, manifest_of
from resrank.records import Passage, Ranking, Split, TrainingExample
from resrank.registry import (
    asks_endpoint,
    is_replayed,
    option_files,
    resolve,
    training_files,
)
from resrank.reranker import (
    Bench,
    CachesPassages,
    KeepsTranscript,
    Request,
    Reranker,
    Retrieves,
)
from resrank.shards import WHOLE, Shard
from resrank.store import (
    Collection,
    encoder_run,
    usage_of,
    write_run,
    write_usage,
)

BLOCK = 16  # queries that a system is given at once, however many shards there are


def encode(
    collection: Collection, candidates: Sequence[Path], splits: Sequence[Split],
    options: EncoderOptions, store: Path, out: Path, shard: Shard = WHOLE,
    shard_stores: Sequence[Path] = (),
) -> None:  # fmt: skip
    """Embed every passage that is a candidate of these splits' queries into the store in `store`.

    One job does this for all systems, so that a passage's embedding, whose last bits depend on the
    batch it is computed in, does not depend on which system's job came first. A shard embeds its
    share of the batches; the whole job takes over what `shard_stores` hold, and embeds what they
    lack. Writes to `out` what it took: texts, tokens, seconds of this run, bytes.
    """
    from resrank.model.device import number_format
    from resrank.model.embedding_store import EmbeddingStore
    from resrank.model.encoder import Encoder

    listed = (listed_passages(collection, path, splits) for path in candidates)
    passages = {p.text for found in listed for p in found}
    encoder = Encoder.from_options(options)
    held = EmbeddingStore(store, encoder)
    halved = Halvings()
    start = time.perf_counter()
    for folder in shard_stores:
        held.take_over(EmbeddingStore(folder, encoder))
    held.fill(sorted(passages), shard)
    seconds = time.perf_counter() - start
    here = sorted(text for text in passages if held.has([text]))
    tokens, truncated = held.tokens(here)
    write_manifest(
        out,
        inputs={"collection": collection.hash} | {p.stem: p for p in candidates},
        config=options.model_dump(mode="json"),
        splits=list(splits),
        folder=held.folder.name,
        dtype=number_format(encoder),
        texts=len(here),
        truncated_texts=truncated,
        tokens=tokens,
        bytes=len(here) * held.codec.row_bytes,
        halved_batches=halved.batches,
        seconds=round(seconds, 3),
    )


def train(
    collection: Collection, candidates: Path, name: str, spec: System, seed: int,
    store: Path, checkpoints: Path, parts: Sequence[Path], out: Path,
) -> None:  # fmt: skip
    """Train one system with one seed and save it under `out`, with its training log beside it.

    checkpoints: where the state of a killed run lies; removed once the model is written; parts:
    manifests of the trained models that this one stands on.
    """
    from resrank.training.processes import processes

    run = processes()
    cls = resolve(spec.kind)
    examples = training_examples(collection, candidates)
    own = training_files(spec.kind, spec.training)
    inputs = inputs_of(collection, candidates, parts, files=own)
    about = [name, seed, spec.model_dump(mode="json"), hashed(inputs), environment()["packages"]]
    key = sha256_lines([json.dumps(about, sort_keys=True), sources_hash()])
    log = TrainingLog(checkpoints / f"{key[:16]}.log.jsonl", run.is_main)
    with log as on_step:
        cls.train(
            cls.Options.model_validate(spec.options),
            cls.Training.model_validate(spec.training),
            examples[Split.TRAIN],
            examples[Split.DEV],
            out,
            seed,
            Bench(store, checkpoints, key, on_step, _dev_score(collection)),
        )
    if not run.is_main:
        return
    curve = out.with_name(f"{out.name}.log.jsonl")
    write_text(curve, log.text())
    shutil.rmtree(checkpoints, ignore_errors=True)
    write_manifest(
        manifest_of(out),
        inputs=inputs,
        config=spec.model_dump(mode="json"),
        system=name,
        seed=seed,
        log=sha256_file(curve),
        outputs={p.relative_to(out).as_posix(): sha256_file(p) for p in _files(out)},
    )


def rerank(
    collection: Collection, candidates: Path, name: str, spec: System, seed: int,
    model: Path | None, store: Path, parts: Sequence[Path], out: Path, shard: Shard = WHOLE,
) -> None:  # fmt: skip
    """Rerank every test query's candidates; write a TREC run, its usage, and grades if it has any.

    A system is given `BLOCK` queries at a time, or all at once if it reads them together; a shard
    is the run of some of these blocks. An endpoint is asked for all of them together.
    """
    reranker = load(spec, model)
    requests = test_requests(collection, candidates)
    halved = Halvings()
    if isinstance(reranker, CachesPassages):
        reranker.prepare((c.passage for _, listed in requests for c in listed), store)
    if isinstance(reranker, KeepsTranscript):
        reranker.keep_transcript(out)
    every = requests
    size = max(1, len(every)) if getattr(reranker, "reads_queries_together", False) else BLOCK
    blocks = shard.take([every[i : i + size] for i in range(0, len(every), size)])
    requests = [request for block in blocks for request in block]
    if requests and asks_endpoint(spec.kind, spec.options):
        blocks = [requests]  # each prompt is answered by itself, and `in_flight` is the limit
    rankings = [ranking for block in blocks for ranking in reranker.rerank_many(block)]
    verify(name, reranker, requests, rankings)
    written = [out, usage_of(out)]
    write_run(out, rankings, name)
    write_usage(usage_of(out), rankings)
    if isinstance(reranker, Retrieves):
        written.append(encoder_run(out))
        mine = {query.id for query, _ in requests}
        own = [ranking for ranking in reranker.by_encoder(every) if ranking.query_id in mine]
        verify(f"{name}.encoder", None, requests, own)
        write_run(written[-1], own, f"{name}.encoder")
    else:
        encoder_run(out).unlink(missing_ok=True)
    if write_grades(grades_of(out), rankings):
        written.append(grades_of(out))
    write_manifest(
        out.with_suffix(".manifest.json"),
        inputs=inputs_of(
            collection, candidates, parts, model, option_files(spec.kind, spec.options)
        ),
        config=spec.model_dump(mode="json"),
        system=name,
        seed=seed,
        dtype=getattr(reranker, "dtype", "none"),
        about=getattr(reranker, "about", {}),
        halved_batches=halved.batches,
        outputs={path.name: sha256_file(path) for path in written},
    )


def measure(
    collection: Collection, candidates: Path, name: str, spec: System, seed: int,
    model: Path | None, how: Measurement, store: Path | None, parts: Sequence[Path], out: Path,
    run: Path | None = None,
) -> None:  # fmt: skip
    """Measure a system on a sample of the test queries; keep every sample.

    store: where passage embeddings are taken from for the cached mode; a temporary one if None.
    run: the system's own, beside which an endpoint's answers and their times were recorded.
    """
    from resrank.efficiency.loadgen import Scenario
    from resrank.efficiency.meter import measure as time_queries
    from resrank.efficiency.threads import limit_threads

    threads = limit_threads(how.threads)
    reranker = load(spec, model)
    requests = in_hash_order(r for r in test_requests(collection, candidates) if r[1])
    sample = requests[: how.queries]
    warmup = (requests[how.queries :] or sample)[: how.warmup]
    recorded = reranker.recorded_clock(run) if isinstance(reranker, KeepsTranscript) else None
    result = {
        "system": name,
        "seed": seed,
        "machine": environment()["machine"],
        "dtype": getattr(reranker, "dtype", "none"),
        "threads": threads,
        "batch": 1,
        "timed": "recorded" if recorded else "here",
        "warmup": len(warmup),
        "query_ids": [query.id for query, _ in sample],
    }
    times: dict[str, Any] = {}
    if not is_replayed(spec.kind, spec.options):  # a look-up's time is no model's
        scenarios = [Scenario(wanted) for wanted in how.scenarios]
        check = partial(verify, name, reranker)
        elsewhere = recorded is not None
        times = time_queries(
            reranker, sample, warmup, store, recorded or time.perf_counter_ns,
            scenarios=scenarios, check=check, elsewhere=elsewhere,
        )  # fmt: skip
    write_sealed(out, result | times)
    write_manifest(
        out.with_suffix(".manifest.json"),
        inputs=inputs_of(
            collection, candidates, parts, model, option_files(spec.kind, spec.options)
        ),
        config={"system": spec.model_dump(mode="json"), "measure": how.model_dump(mode="json")},
        system=name,
        seed=seed,
        outputs={out.name: sha256_file(out)},
    )


def inputs_of(
    collection: Collection, candidates: Path, parts: Sequence[Path], model: Path | None = None,
    files: Sequence[Path] = (),
) -> dict[str, Path | str]:  # fmt: skip
    """What a job's output depends on, for its manifest; models by their manifests.

    files: the user's own, that the configuration names.
    """
    inputs: dict[str, Path | str] = {"collection": collection.hash, "candidates": candidates}
    inputs |= {str(path): path for path in files}
    inputs |= {f"{part.parent.name}/{part.name}": part for part in parts}
    if model is not None:
        inputs["model"] = model.parent / f"{model.name}.manifest.json"
    return inputs


def load(spec: System, model: Path | None) -> Reranker:
    """Build a system from its entry, with its trained model if it has one."""
    cls: type[Reranker] = resolve(spec.kind)
    if model is not None:
        check_model(model)
    return cls.load(cls.Options.model_validate(spec.options), model)


def test_requests(collection: Collection, candidates: Path) -> list[Request]:
    """Every test query, by id, with its candidates (an empty list if it has none)."""
    lists = candidate_lists(collection, candidates, Split.TEST)
    return [(q, lists.get(q.id, [])) for q in collection.queries(Split.TEST)]


def in_hash_order(requests: Iterable[Request]) -> list[Request]:
    """By a hash of the queries' ids: the first of them are a sample, the same on every machine."""
    return sorted(requests, key=lambda request: sha256_lines([request[0].id]))


def listed_passages(
    collection: Collection, candidates: Path, splits: Sequence[Split]
) -> Iterator[Passage]:
    """Every passage that is a candidate of one of the splits' queries."""
    lists = candidate_lists(collection, candidates, *splits)
    for query in collection.queries(*splits):
        yield from (c.passage for c in lists.get(query.id, []))


def training_examples(
    collection: Collection, candidates: Path
) -> dict[Split, list[TrainingExample]]:
    """Train and dev queries with their lists, grades and relevant passages."""
    lists = candidate_lists(collection, candidates, Split.TRAIN, Split.DEV)
    passages = collection.passages.judged(collection.qrels(Split.TRAIN, Split.DEV))
    ids = {query_id: [c.passage.id for c in found] for query_id, found in lists.items()}
    examples: dict[Split, list[TrainingExample]] = {}
    for split in (Split.TRAIN, Split.DEV):
        qrels = collection.qrels(split)
        graded = collection.graded(ids, split) if collection.has_grades else {}
        examples[split] = [
            TrainingExample(
                query=q,
                candidates=lists.get(q.id, []),
                grades=qrels.get(q.id, {}),
                positives=[
                    passages[p] for p, g in qrels.get(q.id, {}).items() if g > 0 and p in passages
                ],
                graded=graded.get(q.id, {}),
            )
            for q in collection.queries(split)
        ]
    return examples


def _dev_score(collection: Collection) -> Callable[[Sequence[Ranking]], float]:
    """nDCG@10 of rankings, over the dev queries that are ranked."""
    from resrank.evaluation.metrics import averages, falling, per_query

    qrels = collection.qrels(Split.DEV)

    def score(rankings: Sequence[Ranking]) -> float:
        run = {r.query_id: falling(r.passage_ids) for r in rankings}
        judged = {q: qrels[q] for q in run if q in qrels}
        return averages(per_query(["nDCG@10"], judged, run))["nDCG@10"]

    return score


class TrainingLog:
    """A row a step, kept beside the checkpoints, so that a killed job's rows are not lost."""

    def __init__(self, path: Path, kept: bool) -> None:
        self.path = path
        self.kept = kept

    def __enter__(self) -> Callable[[dict[str, float]], None] | None:
        """What writes a row; nothing in a process that keeps no log."""
        if not self.kept:
            return None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self.path.open("a", encoding="utf-8")
        return lambda row: print(json.dumps(row), file=self.file, flush=True)

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        if self.kept:
            self.file.close()

    def text(self) -> str:
        """The rows in order, one a step: steps that were done again count as they ended."""
        rows: dict[tuple[str, int], str] = {}
        for line in self.path.read_text("utf-8").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue  # torn by a kill; the step was done again
            rows[row["phase"], row["step"]] = line + "\n"
        return "".join(rows.values())


def _files(folder: Path) -> Sequence[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())
