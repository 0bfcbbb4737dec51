"""The reranker contract: defaults of a minimal reranker, and errors for classes that break it."""

import pytest

from resrank.options import Strict
from resrank.ranking import ranked
from resrank.records import Usage
from resrank.registry import KINDS, resolve
from resrank.reranker import DeclaredCounts, Reranker, TrainingData, TrainingJob
from resrank.reranker_entry import RerankerEntry, options_of, training_of
from resrank.reranker_options import RerankerOptions, TrainingOptions
from resrank.suite.schema import System
from resrank.work import QueryShape
from tests.llm.test_local import requests


class MinimalOptions(RerankerOptions):
    factor: float = 1.0


class Minimal(Reranker):
    """Reverses the list; everything else is a default."""

    Options = MinimalOptions

    def rerank_many(self, requests):
        return [
            ranked(
                query,
                listed,
                [self.options.factor * place for place in range(len(listed))],
                Usage(),
            )
            for query, listed in requests
        ]


class Incomplete(Reranker):
    """Does not rank."""


class OtherOptions(Strict):
    pass


class WrongOptions(Minimal):
    Options = OtherOptions


class WrongTraining(Minimal):
    Training = OtherOptions


class NotAReranker:
    Options = MinimalOptions

    def rerank_many(self, requests):
        return []


def test_a_minimal_reranker_loads_and_ranks():
    minimal = RerankerEntry(kind=f"{__name__}:Minimal", options={"factor": 2}).load()
    assert minimal.options == MinimalOptions(factor=2)
    (query, listed), *_ = batch = requests([4])
    (ranking,) = minimal.rerank_many(batch)
    assert ranking == minimal.rerank(query, listed)
    assert ranking.passage_ids == tuple(c.passage.id for c in reversed(listed))


def test_the_defaults_of_a_reranker(tmp_path):
    minimal = Minimal(MinimalOptions())
    batch = requests([2])
    assert Minimal.Training is None
    assert Minimal.grades is None
    assert Minimal.reorders
    assert not any((minimal.caches_passages, minimal.reads_queries_together, Minimal.reads_lists))
    assert minimal.by_encoder(batch) is None
    assert minimal.prepare([c.passage for c in batch[0][1]], tmp_path) == Usage()
    assert minimal.forget() is minimal.keep_transcript(tmp_path / "run.trec") is None
    assert minimal.recorded_clock(None) is None
    assert minimal.bytes_per_passage is None
    assert (minimal.dtype, minimal.about) == ("none", {})
    assert minimal.declared_counts(2) == DeclaredCounts()
    assert Minimal.encoder_options(minimal.options, None, None) is None
    assert Minimal.passes(minimal.options, Usage(), 2) is None
    assert Minimal.estimate_usage(minimal.options, QueryShape()) is None
    assert not list(tmp_path.iterdir())
    job = TrainingJob(tmp_path, tmp_path, seed=1)
    with pytest.raises(NotImplementedError, match="does not define `train`"):
        Minimal.train(minimal.options, None, TrainingData([]), tmp_path / "out", job)


def test_the_defaults_of_options():
    options = MinimalOptions()
    assert options.files == []
    assert not any((options.asks_endpoint, options.is_replayed))
    assert options.random_part is options.list_window is None
    training = TrainingOptions()
    assert training.files == []
    assert not any((training.uses_dev_queries, training.recomputes))
    assert training.stage_work is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "NotAReranker",
            "is not a reranker: make the class inherit from `resrank.reranker.Reranker`",
        ),
        ("requests", "is not a reranker"),
        ("Incomplete", "does not define rerank_many"),
        (
            "WrongOptions",
            "make its `Options` inherit from `resrank.reranker_options.RerankerOptions`",
        ),
        ("WrongTraining", "make its `Training` inherit from `resrank.reranker_options.TrainingOpt"),
    ],
)
def test_a_class_that_breaks_the_contract_is_told_what_to_do(name, message):
    with pytest.raises(ValueError, match=message):
        System(kind=f"{__name__}:{name}")


@pytest.mark.parametrize("kind", KINDS)
def test_every_registered_kind_follows_the_contract(kind):
    cls = resolve(kind)
    assert issubclass(cls, Reranker)
    assert cls.Options is not RerankerOptions
    assert cls.estimate_usage is not Reranker.estimate_usage
    if cls.Training is None:
        with pytest.raises(ValueError, match="cannot be trained"):
            training_of(kind, {})
    else:
        assert cls.train.__func__ is not Reranker.train.__func__
        assert all(stage.epochs > 0 < stage.texts for stage in training_of(kind, {}).stage_work)


def test_only_the_first_stage_keeps_its_order():
    assert [kind for kind in KINDS if not resolve(kind).reorders] == ["first_stage"]


def test_options_with_windows_say_so():
    for kind in KINDS:
        cls = resolve(kind)
        assert cls.reads_lists == ("window" in cls.Options.model_fields), kind
    assert options_of("icr", {"llm": {"kind": "transformers", "model": "m"}}).list_window is None
