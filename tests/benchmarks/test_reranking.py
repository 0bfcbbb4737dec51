"""Rerank 100 candidates of one query: `pytest tests/benchmarks/test_reranking.py --dist=no --benchmark-enable
--benchmark-json=out.json`, then `python -m tests.benchmarks.ratios out.json` for the table.

One run compares ResRank with stored embeddings, a bare forward pass of its reranker over as many
positions, and a cross-encoder built on the same encoder.
"""

import pytest
import torch

from baselines.cross_encoder.reranker import CrossEncoder
from resrank.collections.see_also import Objects
from resrank.model.options import CausalEncoder, EncoderOptions, ResRankOptions
from resrank.records import Candidate, Passage, Query
from resrank.resrank_reranker import ResRankSystem

GROUP = "rerank 100 passages, MiniLM and {} layers of causal MiniLM, float32"
QUERY = Query("q", "compute the shortest paths between all nodes of a weighted graph")


@pytest.fixture(scope="module")
def candidates(timed):
    objects = Objects()
    objects.add("networkx", 100)
    texts = [doc.text for _, doc in sorted(objects.docs.items())][: 100 if timed else 10]
    return [Candidate(Passage(str(i), text), float(-i)) for i, text in enumerate(texts)]


def system(candidates, store, layers):
    options = ResRankOptions(
        encoder=EncoderOptions(dtype="float32"), reranker=CausalEncoder(layers=layers)
    )
    made = ResRankSystem.load(options)
    made.prepare([c.passage for c in candidates], store)
    return made


@pytest.mark.parametrize("layers", [2, 6])
def test_bare_forward_of_its_reranker(benchmark, candidates, tmp_path, layers):
    benchmark.group = GROUP.format(layers)
    made = system(candidates, tmp_path, layers)
    seen = []
    made.model.reranker.register_forward_pre_hook(lambda _, args: seen.append(args))
    made.rerank(QUERY, candidates)
    inputs, mask = seen[0]

    def forward():
        with torch.inference_mode():
            return made.model.reranker(inputs, mask)

    assert benchmark(forward).shape == inputs.shape


@pytest.mark.parametrize("layers", [2, 6])
def test_resrank_from_stored_embeddings(benchmark, candidates, tmp_path, layers):
    benchmark.group = GROUP.format(layers)
    made = system(candidates, tmp_path, layers)
    ranking = benchmark(made.rerank, QUERY, candidates)
    assert ranking.usage.model_calls == 1


def test_cross_encoder_on_the_same_encoder(benchmark, candidates):
    benchmark.group = GROUP.format(2)
    made = CrossEncoder.load(CrossEncoder.Options(max_tokens=256, dtype="float32"))
    ranking = benchmark.pedantic(made.rerank, (QUERY, candidates), rounds=5, warmup_rounds=1)
    assert ranking.usage.model_calls == len(candidates)
