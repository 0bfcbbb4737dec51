import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resrank.candidates import nearest as module
from resrank.candidates.bm25 import Bm25Stage
from resrank.candidates.dense import DenseStage
from resrank.candidates.freeze import freeze
from resrank.candidates.fusion import FusionStage
from resrank.candidates.nearest import nearest
from resrank.collections.beir import BeirCollection
from resrank.io.candidates import read_candidates
from resrank.io.collection import Collection
from resrank.model.encoder import Encoder
from resrank.records import Passage, Query
from tests.conftest import PASSAGES

SPEC = DenseStage.model_validate({"kind": "dense", "encoder": {"dtype": "float32"}, "depth": 3})


class Rows:
    def __init__(self, vectors):
        self.vectors = vectors

    def at(self, rows):
        return self.vectors[rows]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 50), st.integers(1, 16))
def test_blocks_change_nothing_and_ties_go_by_place(seed, size, depth, block):
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-2, 3, (size, 3)).astype(np.float32)  # many equal scores
    queries = rng.integers(-2, 3, (4, 3)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PASSAGES", block)
        patch.setattr(module, "QUERIES", 3)
        scores, places = nearest(queries, Rows(vectors), np.arange(size), depth)
    whole = queries @ vectors.T
    wanted = np.argsort(-whole, axis=1, kind="stable")[:, :depth]
    assert np.array_equal(places, wanted)
    assert np.array_equal(scores, np.take_along_axis(whole, wanted, 1))


def test_search_is_the_encoders_cosine_without_the_excluded(tmp_path):
    passages = [Passage(i, text) for i, text in sorted(PASSAGES.items())]
    queries = [Query("a", "sort an array"), Query("b", "sort an array", excluded="p1")]
    lists = SPEC.rank(queries, passages, tmp_path)
    encoder = Encoder.from_options(SPEC.encoder)
    cosines = (
        encoder.embed([p.text for p in passages]).numpy()
        @ encoder.embed(["sort an array"], query=True)[0].numpy()
    )
    order = [passages[i].id for i in np.argsort(-cosines)]
    assert [p for p, _ in lists["a"]] == order[:3]
    assert [p for p, _ in lists["b"]] == [p for p in order if p != "p1"][:3]
    assert lists["a"][0][1] == pytest.approx(float(cosines.max()), abs=1e-6)


def test_fusion_by_hand():
    first = {"q": [("a", 9.0), ("b", 8.0)]}
    second = {"q": [("b", 0.5), ("c", 0.4)], "r": [("a", 1.0)]}
    stage = FusionStage(kind="fusion", of=["first", "second"], k=1, depth=2)
    fused = stage.fuse([first, second])
    assert fused["q"] == [("b", pytest.approx(1 / 3 + 1 / 2)), ("a", pytest.approx(1 / 2))]
    assert fused["r"] == [("a", 0.5)]


def test_dense_and_fused_lists_are_frozen(beir, tmp_path):
    BeirCollection(kind="beir", path=beir).collect(tmp_path / "c")
    collection = Collection(tmp_path / "c")
    files = {name: tmp_path / f"{name}.parquet" for name in ("bm25", "dense", "fused")}
    freeze(collection, Bm25Stage(kind="bm25"), files["bm25"])
    with pytest.raises(ValueError, match="give `store`"):
        freeze(collection, SPEC, files["dense"])
    freeze(collection, SPEC, files["dense"], tmp_path / "store")
    spec = FusionStage(kind="fusion", of=["bm25", "dense"])
    with pytest.raises(ValueError, match="no candidates given for dense"):
        freeze(collection, spec, files["fused"], fused={"bm25": files["bm25"]})
    freeze(collection, spec, files["fused"], fused=files)
    assert {len(result) for result in read_candidates(files["dense"]).values()} == {3}
    assert read_candidates(files["fused"])["q2"][0][0] == "p4"
