import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resrank.io.manifest import Damaged
from resrank.model.embedding_store import ROW, EmbeddingStore
from resrank.model.encoder import Encoder
from resrank.model.vector_codec import VectorCodec

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


@pytest.mark.parametrize("field", [*ROW.names])
def test_a_damaged_row_is_noticed_when_the_store_is_opened(encoder, tmp_path, field):
    store = EmbeddingStore(tmp_path, encoder)
    store.fill(TEXTS)
    path = store.folder / "rows.bin"
    data = bytearray(path.read_bytes())
    data[2 * ROW.itemsize + ROW.fields[field][1]] ^= 1
    path.write_bytes(data)
    with pytest.raises(Damaged, match=r"rows.bin is damaged .*delete .* `--forcerun encode`"):
        EmbeddingStore(tmp_path, encoder)
    with pytest.raises(Damaged, match=r"rows.bin"):  # nothing is encoded again in its place
        store.fill([*TEXTS, "another"])
    assert path.read_bytes() == data


def test_a_torn_vector_is_filled_again_with_the_same_numbers(encoder, tmp_path):
    store = EmbeddingStore(tmp_path, encoder)
    store.fill(TEXTS)
    whole = store.vectors(TEXTS).copy()
    vectors = store.folder / "vectors.bin"
    vectors.write_bytes(vectors.read_bytes()[:-3])
    torn = EmbeddingStore(tmp_path, encoder)
    assert not torn.has(TEXTS)
    torn.fill(TEXTS)
    assert np.array_equal(torn.vectors(TEXTS), whole)


def test_another_truncation_is_another_store(encoder, tmp_path, encoder_options):
    other = Encoder.from_options(encoder_options.model_copy(update={"max_tokens": 64}))
    assert EmbeddingStore(tmp_path, other).folder != EmbeddingStore(tmp_path, encoder).folder


@pytest.mark.parametrize(("dtype", "size", "error"), [("bfloat16", 2, 4e-3), ("int8", 1.02, 5e-3)])
def test_smaller_number_formats(tmp_path, encoder_options, dtype, size, error):
    small = Encoder.from_options(encoder_options.model_copy(update={"store_dtype": dtype}))
    store = EmbeddingStore(tmp_path, small)
    store.fill(TEXTS)
    whole = small.embed(TEXTS).numpy()
    vectors = store.vectors(TEXTS)
    assert np.abs(vectors - whole).max() < error * np.abs(whole).max()
    assert store.bytes == pytest.approx(len(TEXTS) * 384 * size, rel=0.01)
    assert np.array_equal(EmbeddingStore(tmp_path, small).vectors(TEXTS), vectors)


@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_int8_is_exact_to_half_a_step(seed, width):
    vectors = np.random.default_rng(seed).normal(size=(5, width)).astype(np.float32)
    vectors[0] = 0
    codec = VectorCodec("int8", width)
    rows = codec.encode(vectors)
    assert rows.shape == (5, codec.row_bytes)
    step = np.abs(vectors).max(axis=1, keepdims=True) / 127
    assert (np.abs(codec.decode(rows) - vectors) <= step * 0.5001).all()
