"""Flip bits in every file of a finished suite: the reader returns the same, or names the file."""

import json
import random
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

from baselines.llm.transcript_files import read_transcript
from baselines.rag_match.documents import Documents, write_documents
from baselines.rag_match.evidence import QueryEvidence
from resrank.candidates.base import StageInputs
from resrank.candidates.exported import export
from resrank.evaluation.candidate_set import CandidateSet
from resrank.evaluation.score import score_runs
from resrank.evaluation.seed_scores import SCORES
from resrank.io.candidates import read_candidates
from resrank.io.collection import Collection
from resrank.io.hashing import sha256_file
from resrank.io.manifest import (
    CONTENT_SHA256,
    Damaged,
    check_model,
    check_output,
    check_report,
    forget_checks,
    read_checked_json,
    write_checked_json,
    write_manifest,
)
from resrank.io.parquet import read_columns
from resrank.io.run import USAGE
from resrank.jobs.inputs import load
from resrank.model.embedding_store import EmbeddingStore
from resrank.model.encoder import Encoder
from resrank.model.options import EncoderOptions
from resrank.model.resrank import ResRank
from resrank.reporting.results import read_json
from resrank.reporting.training_logs import read_log
from resrank.suite.merged_suite import load_merged
from resrank.suite.schema import System
from resrank.training.checkpoints import Checkpoints
from tests.entries import parse_first_stage
from tests.faults.kills import SMOKE, TINY, Undisturbed
from tests.faults.test_damage import flipped
from tests.llm.test_transcript import recorded, replayed

FLIPS = 20  # per file


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    return Undisturbed(tmp_path_factory.mktemp("flipped"), SMOKE).results


def scores(run: Path):
    """Return the scores that the job `score` computes from a run."""
    root, seed = run.parents[4], run.parent / f"{run.name.partition('.')[0]}.trec"
    out = root / "again.parquet"
    score_runs(
        CandidateSet(Collection(root / "collections/mine"), root / "candidates/mine/bm25.parquet"),
        {(run.parent.name, 1): seed},
        ["nDCG@10"],
        {},
        out,
        out.with_suffix(".json"),
    )
    return read_columns(out, SCORES)


@cache
def encoder_of(manifest: Path) -> Encoder:
    return Encoder.from_options(
        EncoderOptions.model_validate(read_checked_json(manifest)["config"])
    )


def embeddings(file: Path):
    """Return every stored embedding with its tokens, as a system reads them."""
    root = file.parents[3]
    texts = [passage.text for passage in Collection(root / "collections/mine").passages]
    store = EmbeddingStore(file.parents[1], encoder_of(next(root.glob("embeddings/mine/*.json"))))
    stored = [text for text in texts if store.has([text])]
    return len(stored), store.vectors(stored).tolist(), store.tokens(stored)


def model(file: Path):
    """Return the trained model's weights as bytes, loaded as in a job."""
    folder = next(path for path in file.parents if path.name == "seed1")
    return weights(load(System.model_validate(TINY), folder).model)


def weights(model: ResRank) -> list[bytes]:
    return [value.numpy().tobytes() for value in model.reranker.state_dict().values()]


# The first pattern that matches a file counts.
READERS = {
    "collections/*/manifest.json": lambda path: Collection(path.parent).manifest,
    "collections/*/queries.parquet": lambda path: Collection(path.parent).queries(),
    "collections/*/qrels.parquet": lambda path: Collection(path.parent).qrels(),
    "collections/*/passages.parquet": lambda path: list(Collection(path.parent).passages),
    "candidates/*/*.parquet": read_candidates,
    "embeddings/store/*/*.bin": embeddings,
    "models/*/seed*/**/*": model,
    "models/*/seed*.log.jsonl": lambda path: read_log(path, 1).to_dict(),
    "runs/**/*.trec": scores,
    "runs/**/*.usage.parquet": lambda path: read_columns(path, USAGE.names),
    "scores/*/*.parquet": lambda path: read_columns(path, SCORES),
    "tables/*": lambda path: check_report(path.parents[1]),
    "figures/*": lambda path: check_report(path.parents[1]),
    "suite.yaml": lambda path: load_merged(path).model_dump(),
    "**/*.json": read_json,
}
LAST = (
    "logs/**/*",
    "benchmarks/**/*",
    "report/index.html",
    "embeddings/store/*/lock",
)
"""Files that no job reads."""


def files(results: Path, pattern: str) -> list[Path]:
    matches = (path for path in results.glob(pattern) if path.is_file())
    return sorted(path for path in matches if path.stat().st_size)


def test_every_file_has_a_reader_here(results):
    covered = {path for pattern in (*READERS, *LAST) for path in files(results, pattern)}
    assert covered == set(files(results, "**/*"))


@pytest.mark.parametrize("pattern", READERS)
def test_a_flipped_bit_in_a_suites_file_is_named_or_changes_nothing(results, pattern):
    before = list(READERS)[: list(READERS).index(pattern)]
    taken = {path for earlier in before for path in files(results, earlier)}
    paths = [path for path in files(results, pattern) if path not in taken]
    assert paths
    flips = 2 if "*/**" in pattern else FLIPS  # a whole model is hashed each time
    for path in paths:
        assert detected(path, READERS[pattern], random.Random(path.name), flips) > flips * 0.4


def detected(path: Path, read, rng: random.Random, flips: int = FLIPS) -> int:
    """Return how many flips the reader reports; all others must change nothing."""
    whole, count = path.read_bytes(), 0
    expected = read(path)
    for _ in range(flips):
        path.write_bytes(flipped(whole, rng, start=0))
        forget_checks()  # the clocks of file systems are coarse
        try:
            assert same(read(path), expected)
        except ValueError as error:
            assert path.name in str(error) or path.parent.name in str(error)
            assert any(word in str(error) for word in ("delete", "again", "rewrites"))
            count += 1
    path.write_bytes(whole)
    forget_checks()
    assert read(path) == expected
    return count


def same(value, expected) -> bool:
    """Return whether values are equal, except for the key of a SHA-256 whose name was flipped."""
    if isinstance(expected, dict):
        return {key: value.get(key) for key in expected} == expected
    return value == expected


def test_exported_candidates(results, tmp_path):
    entry = export(next(results.glob("candidates/mine/bm25.parquet")), tmp_path / "out")
    spec, collection = parse_first_stage(entry), Collection(results / "collections/mine")

    def taken(path):
        written = spec.write(StageInputs(collection), tmp_path / "taken.parquet")
        return written.lists, written.origin

    for name in ("candidates.parquet", "manifest.json"):
        assert detected(tmp_path / "out" / name, taken, random.Random(name)) > FLIPS / 2


def test_a_model_that_was_saved_by_hand(results, tmp_path):
    folder = tmp_path / "m"
    ResRank.from_pretrained(results / "models/tiny/seed1").save_pretrained(folder)

    def loaded(path):
        return weights(ResRank.from_pretrained(folder))

    for name in ("resrank.json", "extra.safetensors", "reranker/config.json"):
        assert detected(folder / name, loaded, random.Random(name), 8) > 4


def test_a_model_of_the_previous_version_is_checked(tmp_path):
    """Its manifest lists files relative to the model's folder, and has another seal."""
    folder = tmp_path / "seed1"
    (folder / "encoder").mkdir(parents=True)
    weights = folder / "encoder" / "model.safetensors"
    weights.write_text("weights")
    outputs = {"encoder/model.safetensors": sha256_file(weights)}
    about = {"SHA-256 with zeros here": "0" * 64, "outputs": outputs, "log": "0" * 64}
    (tmp_path / "seed1.manifest.json").write_text(json.dumps(about))
    check_model(folder)
    weights.write_text("changed")
    with pytest.raises(Damaged, match=r"model.safetensors is damaged .*delete .*seed1, and the"):
        check_model(folder)


def test_a_transcript(tmp_path):
    made, _ = recorded(tmp_path)
    path = made.transcript.path
    assert detected(path, read_transcript, random.Random(0)) > FLIPS / 2
    orders = [ranking.passage_ids for ranking in replayed(path)]

    def again(path):
        replayed_orders = [ranking.passage_ids for ranking in replayed(path)]
        assert replayed_orders == orders
        return replayed_orders

    assert detected(path, again, random.Random(1)) > FLIPS / 2


def test_a_checkpoint(tmp_path):
    layer = nn.Linear(20, 20)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(20)).sum().backward()
    optimizer.step()
    parameters = dict(layer.named_parameters())
    saved = Checkpoints(tmp_path, "key")
    saved.save("phase", 1, 1, parameters, optimizer, {"best": "0.5"})
    saved.write("best", parameters)

    def resume(path):
        extra = {"best": ""}
        step = saved.resume("phase", parameters, optimizer, extra)
        return step, extra, [value.tolist() for value in parameters.values()]

    def read(path):
        saved.read("best", parameters)
        return [value.tolist() for value in parameters.values()]

    for name, reader in (("phase", resume), ("best", read)):
        for path in sorted(tmp_path.glob(f"{name}.*")):
            assert detected(path, reader, random.Random(path.name)) > FLIPS / 3
    with pytest.raises(Damaged, match="delete .*, and the training starts from the beginning"):
        path.write_bytes(path.read_bytes()[:-7])
        read(path)


def test_a_checkpoint_that_was_half_replaced_is_the_one_before(tmp_path, monkeypatch):
    layer = nn.Linear(2, 2)
    parameters = dict(layer.named_parameters())
    Checkpoints(tmp_path, "key").write("best", parameters)
    before = layer.weight.tolist()

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("resrank.training.checkpoints.write_checked_json", killed)
    with torch.no_grad():
        layer.weight.add_(1)
    with pytest.raises(KeyboardInterrupt):
        Checkpoints(tmp_path, "key").write("best", parameters)
    monkeypatch.undo()
    Checkpoints(tmp_path, "key").read("best", parameters)
    assert layer.weight.tolist() == before
    Checkpoints(tmp_path, "key").write("best", parameters)
    assert len(list(tmp_path.iterdir())) == 2  # what the killed write left is replaced


def test_rag_match_documents(tmp_path):
    path = tmp_path / "documents.jsonl"
    queries = [QueryEvidence(f"query {n}", (f"text {n}",)) for n in range(9)]
    write_documents(path, queries, lambda block: [item.texts[0] for item in block])

    def every(path):
        made = Documents(path)
        return [made[n] for n in range(9)]

    assert detected(path, every, random.Random(0)) > FLIPS / 2


def test_a_file_without_a_sha256_is_read_as_it_is(tmp_path):
    (tmp_path / "old.json").write_text('{"a": 1}')
    assert read_checked_json(tmp_path / "old.json") == {"a": 1}
    (tmp_path / "old.json").write_text('{"a": ')
    with pytest.raises(Damaged, match="old.json is damaged .*delete it"):
        read_checked_json(tmp_path / "old.json")


def test_a_sha256_in_the_content_is_not_the_files(tmp_path):
    text = json.dumps({CONTENT_SHA256: "0" * 64})
    path = tmp_path / "t.json"
    write_checked_json(path, {"text": text, "numbers": {10: 1, 9: float("nan")}})
    assert read_checked_json(path)["text"] == text


def test_an_output_is_checked_by_the_manifest_in_its_folder(tmp_path):
    for name in ("a.b.c.txt", "a.txt", "z.txt"):
        (tmp_path / name).write_text(name)
    write_manifest(
        tmp_path / "a.manifest.json", inputs={}, config={}, outputs=[tmp_path / "a.b.c.txt"]
    )
    write_manifest(tmp_path / "manifest.json", inputs={}, config={}, outputs=[tmp_path / "a.txt"])
    for name in ("a.b.c.txt", "a.txt"):
        check_output(tmp_path / name)
        (tmp_path / name).write_text("changed")
        with pytest.raises(Damaged, match=f"{name} is damaged .*its SHA-256 differs"):
            check_output(tmp_path / name)
    check_output(tmp_path / "z.txt")
    (tmp_path / "manifest.json").write_text('{"outputs": ["of another tool"]}')
    check_output(tmp_path / "a.txt")
