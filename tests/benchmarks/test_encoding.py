"""Passage encoding: `pytest tests/benchmarks/test_encoding.py --dist=no --benchmark-enable`.

One run compares one batch per core (ours), one operation over all cores, and
sentence-transformers.
"""

import numpy as np
import pytest
import torch

from resrank.collections.see_also import Objects
from resrank.model.batches import token_budget_batches
from resrank.model.device import pick_dtype
from resrank.model.encoder import Encoder
from resrank.model.hub import locate
from resrank.model.options import EncoderOptions

pytestmark = pytest.mark.benchmark(group="encode 100 passages, MiniLM, float32")


@pytest.fixture(scope="module")
def texts(timed):
    objects = Objects()
    objects.add("networkx", 100)
    return [doc.text for _, doc in sorted(objects.docs.items())][: 100 if timed else 10]


@pytest.fixture(scope="module")
def encoder():
    return Encoder.from_options(EncoderOptions(dtype="float32"))


def test_one_batch_per_core(benchmark, encoder, texts):
    assert benchmark(encoder.embed, texts).shape == (len(texts), 384)


def one_after_another(encoder, texts):
    ids = encoder.tokenize(texts).ids
    out = torch.empty(len(ids), encoder.width)
    for places in token_budget_batches([len(row) for row in ids], encoder.batch_tokens):
        out[places] = encoder.embed_batch([ids[place] for place in places])
    return out


def test_one_operation_over_all_cores(benchmark, encoder, texts):
    embeddings = benchmark(one_after_another, encoder, texts)
    torch.testing.assert_close(embeddings, encoder.embed(texts), atol=1e-5, rtol=0)


def test_sentence_transformers(benchmark, encoder, texts):
    from sentence_transformers import SentenceTransformer

    theirs = SentenceTransformer(str(locate(encoder.options.model)), device="cpu")
    embeddings = benchmark(theirs.encode, texts, show_progress_bar=False)
    np.testing.assert_allclose(embeddings, encoder.embed(texts).numpy(), atol=1e-5)


@pytest.mark.skipif(
    pick_dtype("auto", torch.device("cpu")) != torch.bfloat16,
    reason="the processor has no bfloat16 arithmetic",
)
def test_one_batch_per_core_in_bfloat16(benchmark, texts):
    half = Encoder.from_options(EncoderOptions(dtype="bfloat16"))
    assert benchmark(half.embed, texts).shape == (len(texts), 384)
