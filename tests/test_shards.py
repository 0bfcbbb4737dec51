"""Jobs in shards: the same bytes, whatever their number; a lost shard alone is made anew."""

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from baselines.llm.backends.transformers import TransformersModel
from resrank.candidates import dense_index
from resrank.candidates.freeze import freeze
from resrank.collections.beir import BeirCollection
from resrank.io.collection import Collection
from resrank.io.manifest import CONTENT_SHA256, checked_line
from resrank.jobs.encode import EncodeJob, encode
from resrank.jobs.merge_shards import merge_runs
from resrank.jobs.rerank import BLOCK, RerankJob, rerank
from resrank.records import Split
from resrank.shards import Shard
from resrank.suite.load import load_suite
from resrank.suite.plan import Plan
from resrank.suite.schema import System
from tests.conftest import PASSAGES, write_beir
from tests.dag import copy_project, snakemake
from tests.entries import parse_first_stage

TINY = {"encoder": {"dtype": "float32"}, "reranker": {"layers": 1, "heads": 2}}
LLM = {
    "kind": "transformers",
    "model": {"layers": 1, "hidden": 384, "heads": 2},
    "dtype": "float32",
}
SYSTEMS = {
    "bm25": {"kind": "first_stage"},
    "bi": {"kind": "bi_encoder", "options": {"dtype": "float32"}},
    "tiny": {"kind": "resrank", "options": TINY},
    "gpt": {"kind": "rankgpt", "options": {"llm": LLM, "prompt": "short", "max_rejected": 1,
                                           "window": {"size": 3, "step": 2}}},
}  # fmt: skip
SMALL_BLOCK = 4


def many_queries(folder: Path, block: int = BLOCK) -> Path:
    """A BEIR folder with more queries than two blocks, of different lengths."""
    write_beir(folder)
    words = " ".join(PASSAGES.values()).split()
    ids = [f"t{n:02}" for n in range(2 * block + block // 3)]
    rows = [{"_id": q, "text": " ".join(words[n : n + 1 + n % 9])} for n, q in enumerate(ids)]
    (folder / "queries.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    judged = "".join(f"{q}\tp{1 + n % 5}\t1\n" for n, q in enumerate(ids))
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    (folder / "qrels" / "train.tsv").unlink()
    return folder


@given(st.integers(0, 50), st.integers(1, 60))
def test_shares_in_turn_are_everything_and_even(items, count):
    shares = [Shard(n, count).take(range(items)) for n in range(count)]
    assert [i for share in shares for i in share] == list(range(items))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("text", ["2of2", "of3", "1/3", "-1of3", ""])
def test_a_shard_that_is_none(text):
    assert Shard.parse("0of3") == Shard(0, 3)
    with pytest.raises(ValueError, match="write it as 0of7"):
        Shard.parse(text)


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    """A collection and its candidates. Blocks of queries are small."""
    root = tmp_path_factory.mktemp("shards")
    spec = BeirCollection(kind="beir", path=many_queries(root / "beir", SMALL_BLOCK))
    spec.collect(root / "c")
    lists = root / "bm25.parquet"
    freeze(Collection(root / "c"), parse_first_stage({"kind": "bm25"}), lists)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("resrank.jobs.rerank.BLOCK", SMALL_BLOCK)
        yield Collection(root / "c"), lists


def reranked(frozen, name: str, store: Path, out: Path, count: int) -> dict[str, bytes]:
    """Every file of a run by its ending, reranked in so many shards."""
    collection, lists = frozen
    parts = [out / f"{n}of{count}.trec" for n in range(count)]
    spec = System.model_validate(SYSTEMS[name])
    for n, part in enumerate(parts):
        rerank(
            RerankJob(
                name=name,
                system=spec,
                collection=collection,
                candidates=lists,
                store=store,
                out=part,
                shard=Shard(n, count),
            )
        )
    merge_runs(parts, out / "seed0.trec")
    result = {p.name: p.read_bytes() for p in out.glob("seed0.*")}
    manifest = json.loads(result.pop("seed0.manifest.json"))
    assert manifest["shards"] == count
    return result | {"hashes": json.dumps(manifest["outputs"]).encode()}


@pytest.mark.parametrize("name", list(SYSTEMS))
def test_a_run_is_the_same_in_any_number_of_shards(frozen, tmp_path, name):
    collection, lists = frozen
    spec, whole = System.model_validate(SYSTEMS[name]), tmp_path / "whole" / "seed0.trec"
    rerank(
        RerankJob(
            name=name,
            system=spec,
            collection=collection,
            candidates=lists,
            store=tmp_path / "store",
            out=whole,
        )
    )
    expected = {p.name: p.read_bytes() for p in whole.parent.iterdir()}
    manifest = json.loads(expected.pop("seed0.manifest.json"))
    expected["hashes"] = json.dumps(manifest["outputs"]).encode()
    assert expected["seed0.trec"].count(b"\n") > 2 * SMALL_BLOCK
    assert any("transcript" in file for file in expected) == (name == "gpt")
    assert ("seed0.encoder.trec" in expected) == (name == "tiny")
    for count in (1, 2, 7):
        result = reranked(frozen, name, tmp_path / f"store{count}", tmp_path / str(count), count)
        if name == "gpt":  # an answer's seconds
            result, plain = _without_times(result), _without_times(expected)
            assert result == plain
        else:
            assert result == expected


def _without_times(files):
    """Answers as they are found again: in any order, whatever they took."""
    (name,) = (file for file in files if "transcript" in file)
    rows = [
        json.loads(line) | {"seconds": 0, CONTENT_SHA256: ""} for line in files[name].splitlines()
    ]
    return files | {name: sorted(json.dumps(row) for row in rows)}


def test_what_was_answered_before_a_run_was_split_is_not_asked_again(frozen, tmp_path):
    collection, lists = frozen
    spec, run = System.model_validate(SYSTEMS["gpt"]), tmp_path / "seed0.trec"
    rerank(
        RerankJob(
            name="gpt",
            system=spec,
            collection=collection,
            candidates=lists,
            store=tmp_path / "store",
            out=run,
        )
    )
    (whole,) = tmp_path.glob("seed0.transcript.*")
    answered, ranked = whole.read_text(), run.read_bytes()
    first = json.loads(answered.splitlines()[0])
    other = checked_line({k: v for k, v in first.items() if k != CONTENT_SHA256} | {"key": "other"})
    whole.write_text(other + answered)  # to a prompt that is asked no more
    parts = [tmp_path / "seed0.shards" / f"{n}of2.trec" for n in range(2)]
    for n, part in enumerate(parts):
        rerank(
            RerankJob(
                name="gpt",
                system=spec,
                collection=collection,
                candidates=lists,
                store=tmp_path / "store",
                out=part,
                shard=Shard(n, 2),
            )
        )
    assert not list(parts[0].parent.glob("*.transcript.*"))
    merge_runs(parts, run)
    assert run.read_bytes() == ranked
    assert whole.read_text() == other + answered
    first = other + answered.splitlines(keepends=True)[0]
    whole.write_text(first)  # one answer of this run, and the old one
    for n, part in enumerate(parts):
        rerank(
            RerankJob(
                name="gpt",
                system=spec,
                collection=collection,
                candidates=lists,
                store=tmp_path / "store",
                out=part,
                shard=Shard(n, 2),
            )
        )
    for _ in range(2):
        merge_runs(parts, run)
        assert whole.read_text().startswith(first)
        assert sorted(map(key, whole.open())) == sorted(map(key, (other + answered).splitlines()))


@pytest.mark.parametrize("again", [1, 3])
def test_what_shards_were_answered_is_not_asked_again_by_another_number(
    frozen, tmp_path, monkeypatch, again
):
    collection, lists = frozen
    spec, run = System.model_validate(SYSTEMS["gpt"]), tmp_path / "seed0.trec"
    folder = tmp_path / "seed0.shards"
    for n in range(2):
        part = folder / f"{n}of2.trec"
        rerank(
            RerankJob(
                name="gpt",
                system=spec,
                collection=collection,
                candidates=lists,
                store=tmp_path / "store",
                out=part,
                shard=Shard(n, 2),
            )
        )
    files = sorted(folder.glob("*.transcript.*"))
    before = {key(line): line for file in files for line in file.open()}
    files[1].write_text(files[1].read_text() + '{"key": "torn')  # killed while it wrote

    def asked_again(self, prompts, *_):
        assert not prompts, "an answer that was recorded is asked for again"
        return iter(())

    monkeypatch.setattr(TransformersModel, "answers", asked_again)
    parts = [folder / f"{n}of{again}.trec" for n in range(again)] if again > 1 else [run]
    for n, part in enumerate(parts):
        rerank(
            RerankJob(
                name="gpt",
                system=spec,
                collection=collection,
                candidates=lists,
                store=tmp_path / "store",
                out=part,
                shard=Shard(n, again),
            )
        )
    if again > 1:
        merge_runs(parts, run)
    (whole,) = tmp_path.glob("seed0.transcript.*")
    assert {key(line): line for line in whole.open()} == before


def key(line):
    return json.loads(line)["key"]


def test_shards_of_two_runs_are_not_put_together(frozen, tmp_path):
    collection, lists = frozen
    for n, name in enumerate(("bm25", "bi")):
        spec = System.model_validate(SYSTEMS[name])
        rerank(
            RerankJob(
                name=name,
                system=spec,
                collection=collection,
                candidates=lists,
                store=tmp_path,
                out=tmp_path / f"{n}.trec",
            )
        )
    with pytest.raises(ValueError, match=r"1.trec: its config, system, dtype are not those of"):
        merge_runs([tmp_path / "0.trec", tmp_path / "1.trec"], tmp_path / "out.trec")
    (tmp_path / "1.manifest.json").unlink()
    with pytest.raises(FileNotFoundError, match="remove .*1.trec, and its job writes both again"):
        merge_runs([tmp_path / "0.trec", tmp_path / "1.trec"], tmp_path / "out.trec")
    assert not (tmp_path / "out.trec").exists()


def stored(store: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in store.glob("*/*.bin")}


@pytest.mark.parametrize("lost", [False, True])
def test_embeddings_are_the_same_in_any_number_of_shards(frozen, tmp_path, encoder_options, lost):
    collection, lists = frozen
    options = encoder_options.model_copy(update={"batch_tokens": 32})  # six texts, some batches
    job = partial(
        EncodeJob, collection=collection, candidates=[lists], splits=[Split.TEST], encoder=options
    )
    encode(job(store=tmp_path / "one", out=tmp_path / "one.json"))
    for count in (2, 7):
        shards = [tmp_path / f"{n}of{count}" for n in range(count)]
        for n, store in enumerate(shards):
            encode(job(store=store, out=tmp_path / "shard.json", shard=Shard(n, count)))
        taken = [s for s in shards if stored(s)["rows.bin"]]
        assert len(taken) > 1
        if lost:
            shutil.rmtree(taken[-1])  # the last rows: they are embedded again, in the same batches
        out = tmp_path / f"all{count}"
        encode(job(store=out, out=tmp_path / f"{count}.json", shard_stores=shards))
        assert stored(out) == stored(tmp_path / "one")
        about, whole = (
            json.loads((tmp_path / f).read_text()) for f in (f"{count}.json", "one.json")
        )
        assert {n: about[n] for n in ("texts", "tokens")} == {
            n: whole[n] for n in ("texts", "tokens")
        }


def test_a_dense_first_stage_is_the_same_in_any_number_of_shards(frozen, tmp_path, monkeypatch):
    collection, _ = frozen
    monkeypatch.setattr(dense_index, "BLOCK", 2)
    spec = parse_first_stage({"kind": "dense", "encoder": {"dtype": "float32"}, "depth": 4})
    freeze(collection, spec, tmp_path / "one.parquet", tmp_path / "one")
    for count in (2, 7):
        shards = [tmp_path / f"{n}of{count}" for n in range(count)]
        for n, store in enumerate(shards):
            dense_index.embed_shard(
                collection.passages, spec.encoder, store, Shard(n, count), tmp_path / "x.json"
            )
        lists = tmp_path / f"{count}.parquet"
        freeze(collection, spec, lists, tmp_path / f"all{count}", shard_stores=shards)
        assert lists.read_bytes() == (tmp_path / "one.parquet").read_bytes()
        assert stored(tmp_path / f"all{count}") == stored(tmp_path / "one")


def suite(shards: int):
    near = {"kind": "dense", "depth": 4, "encoder": {"dtype": "float32"}}
    return {
        "name": "s", "collections": ["mine"], "first_stages": ["near"], "systems": ["tiny"],
        "shards": shards, "untrained": False, "measure": {"queries": 1, "warmup": 0},
        "define": {"collections": {"mine": {"kind": "beir", "path": "data"}},
                   "first_stages": {"near": near}, "systems": SYSTEMS},
    }  # fmt: skip


def test_one_shard_plans_as_if_there_were_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_beir(tmp_path / "data")
    assert Plan(load_suite(suite(1)), "out").stage_shards("mine", "near") == []
    two = Plan(load_suite(suite(2)), "out")
    result = ["out/embeddings/mine/first_stages/near.shards/0of2.json",
             "out/embeddings/mine/first_stages/near.shards/1of2.json"]  # fmt: skip
    assert two.stage_shards("mine", "near") == result
    assert two.stage_shards("mine", "bm25") == []


def test_the_dag_in_shards_and_a_lost_one(tmp_path):
    folder = copy_project(tmp_path, suite(1))
    many_queries(folder / "data")
    results = folder / "results" / "s"
    wanted = ["results/s/scores/mine/near.parquet"]
    kept = {}
    for shards in (1, 2):
        (folder / "suite.yaml").write_text(yaml.safe_dump(suite(shards)))
        done = snakemake(folder, *wanted, hash_seed=shards)
        assert done.returncode == 0, done.stdout + done.stderr
        files = [*results.glob("runs/mine/near/tiny/seed0.*"), *results.glob("*/mine/near.parquet")]
        files = [p for p in files if p.is_file() and ".manifest" not in p.name]
        kept[shards] = {p: p.read_bytes() for p in files}
        if shards == 1:
            for made in ("candidates", "embeddings", "runs", "scores"):
                shutil.rmtree(results / made)
    assert len(kept[1]) == 5  # the run, its usage, the encoder's own run; lists and scores
    assert kept[2] == kept[1]
    for lost in ("seed0.trec", "seed0.shards/1of2.trec"):
        (results / "runs/mine/near/tiny" / lost).unlink()
    done = snakemake(folder, "results/s/runs/mine/near/tiny/seed0.trec")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rule encode" not in done.stderr
    assert done.stderr.count("rule rerank_shard:") == 1
    assert {p: p.read_bytes() for p in kept[2]} == kept[1]
