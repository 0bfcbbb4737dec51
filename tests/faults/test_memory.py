"""A batch that does not fit in memory is halved, and the manifest counts the halvings."""

import json

import pytest
import torch

from baselines.cross_encoder.reranker import CrossEncoder
from baselines.llm.backends.transformers import TransformersModel
from baselines.pe_rank.model import PERankModel
from resrank.candidates.freeze import freeze
from resrank.io.collection import Collection
from resrank.io.trec import read_run
from resrank.jobs.encode import EncodeJob, encode
from resrank.jobs.rerank import RerankJob, rerank
from resrank.model.encoder import Encoder
from resrank.model.options import EncoderOptions
from resrank.model.out_of_memory import Halvings, NoMemory, in_halves
from resrank.model.resrank import Lists, ResRank
from resrank.suite.schema import System
from tests.conftest import write_beir
from tests.entries import parse_collection, parse_first_stage

CPU = "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."
GPU = "CUDA out of memory. Tried to allocate 2.00 GiB."


def limited(function, most, error):
    """Return `function`, which now raises `error` for batches of more than `most` items."""

    def run(batch, *more):
        if len(batch) > most:
            raise error
        return function(batch, *more)

    return run


@pytest.mark.parametrize("error", [torch.OutOfMemoryError(GPU), RuntimeError(CPU)])
def test_halves_keep_their_order(error):
    counted = Halvings()
    result = in_halves(limited(list, 3, error), range(10))
    assert [item for part in result for item in part] == list(range(10))
    assert max(map(len, result)) <= 3
    assert counted.batches == 3  # 10, then 5 twice


def test_a_batch_of_one_that_does_not_fit_and_other_errors_raise():
    with pytest.raises(NoMemory, match="a batch of 1 does not fit in memory .CUDA out of memory"):
        in_halves(limited(list, 0, torch.OutOfMemoryError(GPU)), range(4))
    with pytest.raises(RuntimeError, match="shapes"):
        in_halves(limited(list, 0, RuntimeError("shapes do not fit")), range(4))


def test_a_real_failed_allocation_is_recognised():
    def fill(batch):
        return torch.zeros(len(batch), 2**47, dtype=torch.uint8)  # 128 TiB per row

    with pytest.raises(NoMemory, match="can't allocate memory"):
        in_halves(fill, range(2))


@pytest.fixture
def lists(tmp_path):
    queries = {"q1": "sort an array", "q2": "a sorted matrix or graph", "q4": "array"}
    qrels = {"test": [(query, "p5", 1) for query in queries]}
    beir = write_beir(tmp_path / "beir", queries=queries, qrels=qrels)
    parse_collection({"kind": "beir", "path": str(beir)}).collect(tmp_path / "c")
    collection = Collection(tmp_path / "c")
    freeze(collection, parse_first_stage({"kind": "bm25", "depth": 5}), tmp_path / "bm25.parquet")
    return collection, tmp_path / "bm25.parquet"


def limit_memory(monkeypatch, owner, method, most=1):
    """Let a method of `owner` run out of memory for more than `most` texts, prompts or lists."""

    def run(self, batch, *args, **more):
        if len(batch.passages if isinstance(batch, Lists) else batch) > most:
            raise torch.OutOfMemoryError(GPU)
        return method(self, batch, *args, **more)

    monkeypatch.setattr(owner, method.__name__, run)


def run_of(lists, out, kind, options):
    collection, candidates = lists
    spec = System(kind=kind, options=options)
    rerank(
        RerankJob(
            name="mine",
            system=spec,
            collection=collection,
            candidates=candidates,
            store=out / "store",
            out=out / "r.trec",
        )
    )
    return read_run(out / "r.trec"), json.loads((out / "r.manifest.json").read_text())


FLOAT = {"dtype": "float32"}
RESRANK = {"encoder": FLOAT, "reranker": {"layers": 1, "heads": 2}}
TINY_LM = {"kind": "transformers", "model": {"layers": 1}, "dtype": "float32"}
PE_RANK = {**RESRANK, "chat": False}
RANKGPT = {"llm": TINY_LM, "prompt": "short", "max_new_tokens": 8, "max_rejected": 1}


@pytest.mark.parametrize(
    ("kind", "options", "limited_method"),
    [("bi_encoder", FLOAT, (Encoder, Encoder.forward)),
     ("resrank", RESRANK, (ResRank, ResRank.forward)),
     ("cross_encoder", FLOAT, (CrossEncoder, CrossEncoder._forward)),
     ("pe_rank", PE_RANK, (PERankModel, PERankModel.decode)),
     ("first", {"llm": TINY_LM}, (TransformersModel, TransformersModel._last_logits)),
     ("rankgpt", RANKGPT, (TransformersModel, TransformersModel._complete))],
)  # fmt: skip
def test_halving_changes_no_run_and_is_counted(
    lists, tmp_path, monkeypatch, kind, options, limited_method
):
    expected, about = run_of(lists, tmp_path / "whole", kind, options)
    assert about["halved_batches"] == 0
    limit_memory(monkeypatch, *limited_method)
    result, about = run_of(lists, tmp_path / "halved", kind, options)
    assert about["halved_batches"] > 0
    assert result == expected


def test_embedding_continues_after_halving(lists, tmp_path, monkeypatch):
    collection, candidates = lists
    limit_memory(monkeypatch, Encoder, Encoder.forward, most=2)
    options = EncoderOptions(dtype="float32")
    encode(
        EncodeJob(
            collection=collection,
            candidates=[candidates],
            splits=["test"],
            encoder=options,
            store=tmp_path / "s",
            out=tmp_path / "e.json",
        )
    )
    about = json.loads((tmp_path / "e.json").read_text())
    assert about["halved_batches"] > 0
    assert about["texts"] == 4  # the passages that share a word with a query
