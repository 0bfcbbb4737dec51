"""The library's entry of the paper's models trains, at 1/16 of their shapes.

Its models become random ones and its collections tiny ones. Passages have about 16 tokens in place of
256, so the chunks of gradient caching are a sixteenth too. All else is the entry's.
"""

import json
from pathlib import Path

import pytest
import torch
import yaml
from safetensors import safe_open

from resrank.candidates.freeze import freeze
from resrank.io.collection import Collection
from resrank.jobs.from_suite import SuiteJobs
from resrank.jobs.inputs import load
from resrank.jobs.rerank import rerank
from resrank.jobs.train import train
from resrank.model.architectures import RANDOM
from resrank.model.hub import locate
from resrank.records import Candidate, Passage, Query
from resrank.suite.library import library
from resrank.suite.load import load_suite
from resrank.training import gradient_cache
from resrank.training.checkpoints import Checkpoints
from tests.conftest import ROOT, write_beir
from tests.entries import parse_collection, parse_first_stage

ENTRY, TEACHER = "resrank_4b", "first_7b"
GROUP = 8  # passages on one topic, which are the candidates of its queries
QUERIES = {"msmarco": 128, "nfcorpus": 7, "scifact": 7}  # of training, in about the entry's shares
SMALLER = 16


def shrunk(options):
    """Options with each published model in place of itself at random, without its commit."""
    if not isinstance(options, dict):
        return options
    changed = {key: shrunk(value) for key, value in options.items() if "revision" not in key}
    for key in ("model", "reranker"):
        if isinstance(changed.get(key), str):
            changed[key] = f"{RANDOM}{changed[key]}"
    return changed


def written(name):
    """A library's entry as it was written, with small models."""
    entry = library().systems[name].model_dump(mode="json", exclude_unset=True)
    if chunk_tokens := entry.get("training", {}).get("chunk_tokens"):
        entry["training"]["chunk_tokens"] = chunk_tokens // SMALLER
    return entry | {"options": shrunk(entry["options"])}


def write_collection(folder, name, count):
    """Write a folder of groups of passages, and `count` training queries, four on a group."""
    passages = {
        f"p{topic}x{place}": f"{name}{topic} at place {place}: values of an array."
        for topic in range(-(-count // 4)) for place in range(GROUP)
    }  # fmt: skip
    queries = {f"q{n}": f"find {name}{n // 4} at place {n % 4}" for n in range(count)}
    positives = [(f"q{n}", f"p{n // 4}x{n % 4}", 1) for n in range(count)]
    qrels = {"test": [("test", "p0x3", 1)], "train": positives}
    write_beir(folder, passages, queries | {"test": f"find {name}0"}, qrels)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The jobs of a suite of the entry, after its training, and how many chunks were embedded."""
    folder = tmp_path_factory.mktemp("recipe")
    entries = {name: written(name) for name in (ENTRY, TEACHER)}
    collections = {}
    for name in entries[ENTRY]["trained_on"]:
        write_collection(folder / name, name, QUERIES[name])
        collections[name] = {"kind": "beir", "path": str(folder / name),
                             "instruction": library().collections[name].instruction}  # fmt: skip
    suite = {"name": "s", "scale": SMALLER, "collections": ["scifact"], "systems": [ENTRY],
             "untrained": False, "seeds": [1],
             "define": {"systems": entries, "collections": collections}}  # fmt: skip
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite))
    chunks = []
    plan_chunks = gradient_cache._chunks
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        # Half a gigabyte of tables of 151,936 tokens; resuming has tests of its own.
        patch.setattr(Checkpoints, "save", lambda *_: None)
        patch.setattr(
            gradient_cache, "_chunks",
            lambda ids, budget: chunks.append(plan_chunks(ids, budget)) or chunks[-1],
        )  # fmt: skip
        jobs = SuiteJobs(folder / "suite.yaml")
        for name, entry in collections.items():
            parse_collection(entry).collect(Path(jobs.plan.collection(name)))
            lists = Path(jobs.plan.candidates(name, "bm25"))
            stage = parse_first_stage({"kind": "bm25", "depth": GROUP})
            freeze(Collection(Path(jobs.plan.collection(name))), stage, lists)
            rerank(jobs.teach(name, "bm25", TEACHER, None))
        train(jobs.train(ENTRY, 1))
        yield jobs, chunks


def rows(jobs):
    log = Path(f"{jobs.plan.model_folder(ENTRY)}.log.jsonl").read_text()
    return [json.loads(line) for line in log.splitlines()]


def test_the_entry_is_the_papers_but_for_models_and_collections(trained):
    jobs, _ = trained
    spec, published = jobs.suite.systems[ENTRY], library().systems[ENTRY]
    chunk_tokens = published.training["chunk_tokens"] // SMALLER
    assert spec.training == published.training | {"chunk_tokens": chunk_tokens}
    assert spec.trained_on == published.trained_on
    assert (spec.launcher, spec.trained_with) == (published.launcher, published.trained_with)
    options = {**spec.options, "encoder": {**spec.options["encoder"]}}
    assert options["encoder"].pop("model") == "random:Qwen/Qwen3-Embedding-4B@16"
    assert options.pop("reranker") == "random:Qwen/Qwen3-4B@16"
    given = {**published.options, "encoder": {**published.options["encoder"]}}
    for section, keys in ((given["encoder"], ("model", "revision")),
                          (given, ("reranker", "reranker_revision"))):  # fmt: skip
        assert all(section.pop(key) for key in keys)
    assert options == given
    paper = load_suite(ROOT / "config" / "paper.yaml")
    assert paper.systems[ENTRY] == published
    assert {*paper.mixture(ENTRY)} - {"msmarco"} < {*paper.suite.collections}


def test_both_stages_run_with_128_queries_of_one_collection_in_a_batch(trained):
    jobs, _ = trained
    steps = rows(jobs)
    assert [row["phase"] for row in steps] == sorted(row["phase"] for row in steps)
    assert {row["phase"] for row in steps} == {"stage 1", "stage 2"}
    assert [row["batch"] for row in steps if row["phase"] == "stage 1"].count(128) == 1
    assert all(row["retrieval"] > 0 and row["ranking"] > 0 for row in steps)
    about = json.loads(Path(jobs.plan.model_folder(ENTRY), "resrank.json").read_text())
    first, second = (stage["queries_used_of"] for stage in about["provenance"]["stages"])
    assert first == QUERIES
    assert second == {"msmarco": 51, "nfcorpus": 3, "scifact": 3}  # 0.4 of each collection


def test_a_large_batch_is_embedded_in_chunks(trained):
    _, chunks = trained
    assert max(map(len, chunks)) > 1


def down_projection(folder):
    """Return a weight of the first layer of a saved model."""
    (path,) = Path(folder).glob("*.safetensors")
    with safe_open(path, "pt") as file:
        names = list(file.keys())
        (name,) = (n for n in names if n.endswith("layers.0.mlp.down_proj.weight"))
        return file.get_tensor(name).float()


def test_both_models_are_trained_and_rank(trained):
    jobs, _ = trained
    model = Path(jobs.plan.model_folder(ENTRY))
    entry = jobs.plan.system_entry(ENTRY, "scifact", 1)
    options = entry.typed_options
    for part, made in (("encoder", options.encoder.model), ("reranker", options.reranker)):
        assert not torch.equal(down_projection(model / part), down_projection(locate(made)))
    passages = [Passage(f"p{n}", f"scifact{n} at place 0") for n in range(GROUP)]
    ranking = load(entry, model).rerank(
        Query("q", "find scifact3"), [Candidate(p, 0.0) for p in passages]
    )
    assert sorted(ranking.passage_ids) == [p.id for p in passages]
