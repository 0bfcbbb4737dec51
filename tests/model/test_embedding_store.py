import numpy as np
import pytest

from resrank.model.embedding_store import ROW, EmbeddingStore
from resrank.model.encoder import Encoder

TEXTS = ["sort an array", "draw a histogram", "x " * 400, ""]


@pytest.fixture(scope="module")
def encoder(encoder_options):
    return Encoder.from_options(encoder_options)


def test_stored_embeddings_are_the_encoders(encoder, tmp_path):
    store = EmbeddingStore(tmp_path, encoder)
    assert not store.has(TEXTS)
    store.fill(TEXTS)
    np.testing.assert_allclose(store.vectors(TEXTS), encoder.embed(TEXTS).numpy(), atol=1e-6)
    tokens, truncated = store.tokens(["x " * 400])
    assert (tokens, truncated) == (256, 1)
    again = EmbeddingStore(tmp_path, encoder)
    assert again.has(TEXTS)


def test_a_torn_tail_is_filled_again_with_the_same_numbers(encoder, tmp_path):
    store = EmbeddingStore(tmp_path, encoder)
    store.fill(TEXTS)
    whole = store.vectors(TEXTS).copy()
    rows = store.folder / "rows.bin"
    rows.write_bytes(rows.read_bytes()[: ROW.itemsize * 2 + 5])
    torn = EmbeddingStore(tmp_path, encoder)
    assert not torn.has(TEXTS)
    torn.fill(TEXTS)
    assert np.array_equal(torn.vectors(TEXTS), whole)


def test_another_truncation_is_another_store(encoder, tmp_path, encoder_options):
    other = Encoder.from_options(encoder_options.model_copy(update={"max_tokens": 64}))
    assert EmbeddingStore(tmp_path, other).folder != EmbeddingStore(tmp_path, encoder).folder
