"""A bit flipped in any file of a finished suite: its reader gives the same, or names the file."""

import json
import random
from pathlib import Path

import pytest
import torch
from torch import nn

from baselines.llm.transcript import read_transcript
from baselines.rag_match.documents import Documents, Found, write_documents
from resrank.candidates.base import StageInputs, parse_first_stage
from resrank.candidates.exported import export
from resrank.evaluation.all_pairs import SCORES
from resrank.evaluation.candidate_set import CandidateSet
from resrank.evaluation.score import score_runs
from resrank.io import manifest as outputs
from resrank.io import seals
from resrank.io.candidates import read_candidates
from resrank.io.collection import Collection
from resrank.io.manifest import check_report
from resrank.io.parquet import read_columns
from resrank.io.run import USAGE
from resrank.io.seals import SEAL, Damaged, read_sealed, seal
from resrank.jobs.inputs import load
from resrank.model.embedding_store import EmbeddingStore
from resrank.model.encoder import Encoder
from resrank.model.options import EncoderOptions
from resrank.model.resrank import ResRank
from resrank.reporting.results import read_json
from resrank.reporting.training_logs import read_log
from resrank.suite.schema import System
from resrank.training.checkpoints import Checkpoints
from tests.faults.kills import SMOKE, TINY, Undisturbed
from tests.faults.test_damage import flipped
from tests.llm.test_transcript import recorded, replayed

FLIPS = 20  # in a file


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    return Undisturbed(tmp_path_factory.mktemp("flipped"), SMOKE).results


def scores(run: Path):
    """What the job `score` makes of a run."""
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


def embeddings(file: Path):
    """Every stored embedding with its tokens, as a system reads them."""
    root = file.parents[3]
    about = next(root.glob("embeddings/mine/*.json"))
    options = EncoderOptions.model_validate(read_sealed(about)["config"])
    texts = [passage.text for passage in Collection(root / "collections/mine").passages]
    store = EmbeddingStore(file.parents[1], Encoder.from_options(options))
    here = [text for text in texts if store.has([text])]
    return len(here), store.vectors(here).tolist(), store.tokens(here)


def model(file: Path):
    """The trained model's weights, loaded as for a job."""
    folder = next(path for path in file.parents if path.name == "seed1")
    made = load(System.model_validate(TINY), folder).model
    return [value.tolist() for value in made.reranker.state_dict().values()]


# The first pattern that a file fits counts.
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
    "**/*.json": read_json,
}
LAST = ("logs/**/*", "benchmarks/**/*", "report/index.html", "embeddings/store/*/lock")
"""What no job reads."""


def files(results: Path, pattern: str) -> list[Path]:
    found = (path for path in results.glob(pattern) if path.is_file())
    return sorted(path for path in found if path.stat().st_size)


def test_every_file_has_a_reader_here(results):
    known = {path for pattern in (*READERS, *LAST) for path in files(results, pattern)}
    assert known == set(files(results, "**/*"))


@pytest.mark.parametrize("pattern", READERS)
def test_a_flipped_bit_in_a_suites_file_is_named_or_changes_nothing(results, pattern):
    before = list(READERS)[: list(READERS).index(pattern)]
    taken = {path for earlier in before for path in files(results, earlier)}
    found = [path for path in files(results, pattern) if path not in taken]
    assert found
    flips = 2 if "*/**" in pattern else FLIPS  # a model is hashed whole each time
    for path in found:
        assert named(path, READERS[pattern], random.Random(path.name), flips) > flips * 0.4


def named(path: Path, read, rng: random.Random, flips: int = FLIPS) -> int:
    """How many of the flips are named by the reader; all others change nothing."""
    whole, count = path.read_bytes(), 0
    wanted = read(path)
    for _ in range(flips):
        path.write_bytes(flipped(whole, rng, start=0))
        forget()
        try:
            assert same(read(path), wanted)
        except ValueError as said:
            assert path.name in str(said) or path.parent.name in str(said)
            assert any(word in str(said) for word in ("delete", "again", "anew"))
            count += 1
    path.write_bytes(whole)
    forget()
    assert read(path) == wanted
    return count


def same(found, wanted) -> bool:
    """Equal, but for a key that nobody knows: a seal whose name the flip is in."""
    if isinstance(wanted, dict):
        return {key: found.get(key) for key in wanted} == wanted
    return found == wanted


def forget() -> None:
    """Look at every file anew: clocks of file systems are coarse."""
    seals._whole.cache_clear()
    outputs._sha256.cache_clear()


def test_exported_candidates(results, tmp_path):
    entry = export(next(results.glob("candidates/mine/bm25.parquet")), tmp_path / "out")
    spec, collection = parse_first_stage(entry), Collection(results / "collections/mine")

    def taken(path):
        written = spec.write(StageInputs(collection), tmp_path / "taken.parquet")
        return written.lists, written.origin

    for name in ("candidates.parquet", "manifest.json"):
        assert named(tmp_path / "out" / name, taken, random.Random(name)) > FLIPS / 2


def test_a_model_that_was_saved_by_hand(results, tmp_path):
    folder = tmp_path / "m"
    ResRank.from_pretrained(results / "models/tiny/seed1").save_pretrained(folder)

    def weights(path):
        made = ResRank.from_pretrained(folder)
        return [value.tolist() for value in made.reranker.state_dict().values()]

    for name in ("resrank.json", "extra.safetensors", "reranker/config.json"):
        assert named(folder / name, weights, random.Random(name), 8) > 4


def test_a_transcript(tmp_path):
    made, _ = recorded(tmp_path)
    path = made.transcript.path
    assert named(path, read_transcript, random.Random(0)) > FLIPS / 2
    orders = [ranking.passage_ids for ranking in replayed(path)]

    def again(path):
        found = [ranking.passage_ids for ranking in replayed(path)]
        assert found == orders
        return found

    assert named(path, again, random.Random(1)) > FLIPS / 2


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
        path = tmp_path / f"{name}.safetensors"
        assert named(path, reader, random.Random(name)) > FLIPS / 2
    with pytest.raises(Damaged, match="delete .*, and the training begins anew"):
        path.write_bytes(path.read_bytes()[:-7])
        read(path)


def test_rag_match_documents(tmp_path):
    path = tmp_path / "documents.jsonl"
    found = [Found(f"query {n}", (f"text {n}",)) for n in range(9)]
    write_documents(path, found, lambda block: [item.evidence[0] for item in block])

    def every(path):
        made = Documents(path)
        return [made[n] for n in range(9)]

    assert named(path, every, random.Random(0)) > FLIPS / 2


def test_a_file_of_an_older_version_is_read_as_it_is(tmp_path):
    (tmp_path / "old.json").write_text('{"a": 1}')
    assert read_sealed(tmp_path / "old.json") == {"a": 1}
    (tmp_path / "old.json").write_text('{"a": ')
    with pytest.raises(Damaged, match="old.json is damaged .*delete it"):
        read_sealed(tmp_path / "old.json")


def test_a_seal_in_the_content_is_not_the_files(tmp_path):
    text = json.dumps({SEAL: "0" * 64})
    path = tmp_path / "t.json"
    path.write_text(json.dumps({SEAL: "0" * 64, "text": text}))
    seal(path)
    assert read_sealed(path) == {"text": text}
