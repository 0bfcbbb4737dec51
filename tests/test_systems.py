import pytest

from resrank.records import Candidate, Passage, Query
from resrank.registry import resolve
from tests.conftest import PASSAGES

SYSTEMS = [
    ("first_stage", {}),
    ("bi_encoder", {"dtype": "float32"}),
    ("rank_fusion", {"system": {"kind": "bi_encoder", "options": {"dtype": "float32"}}}),
    ("cross_encoder", {"dtype": "float32"}),
    ("resrank", {"encoder": {"dtype": "float32"}, "reranker": {"layers": 1, "heads": 2}}),
]


@pytest.mark.parametrize(("kind", "options"), SYSTEMS, ids=[kind for kind, _ in SYSTEMS])
def test_a_permutation_alone_or_among_others(kind, options, request_of):
    cls = resolve(kind)
    system = cls.load(cls.Options.model_validate(options))
    requests = [
        request_of("sort an array", list(PASSAGES)),
        request_of("shortest path", ["p4", "p1"]),
        request_of("nothing", []),
        request_of("one", ["p3"]),
    ]
    together = system.rerank_many(requests)
    for (query, listed), ranking in zip(requests, together, strict=True):
        assert sorted(ranking.passage_ids) == sorted(c.passage.id for c in listed)
        assert list(ranking.scores) == sorted(ranking.scores, reverse=True)
        assert ranking.usage.generated_tokens == 0
        alone = system.rerank(query, listed)
        assert alone.passage_ids == ranking.passage_ids
        assert alone.scores == pytest.approx(ranking.scores, abs=1e-5)


def test_a_cross_encoder_scores_a_hundred_pairs():
    cls = resolve("cross_encoder")
    system = cls.load(cls.Options.model_validate({"dtype": "float32", "max_tokens": 16}))
    listed = [Candidate(Passage(f"p{n}", f"about {n}"), -float(n)) for n in range(100)]
    rows = []
    hook = system.model.model.register_forward_hook(lambda *seen: rows.append(len(seen[-1].logits)))
    ranking = system.rerank(Query("q", "sort"), listed)
    hook.remove()
    assert system.about == {"untrained": "head of random weights"}
    assert sum(rows) == ranking.usage.model_calls == 100
    assert ranking.usage.generated_tokens == 0
    assert sorted(ranking.passage_ids) == sorted(c.passage.id for c in listed)


def test_usage_from_the_store_and_without(request_of, tmp_path):
    cls = resolve("bi_encoder")
    system = cls.load(cls.Options(dtype="float32"))
    query, listed = request_of("sort an array", ["p1", "p2"])
    online = system.rerank(query, listed).usage
    system.prepare([c.passage for c in listed], tmp_path)
    cached = system.rerank(query, listed).usage
    assert online.passage_encoder_tokens == cached.passage_encoder_tokens > 0
    assert (online.cached_encoder_tokens, cached.cached_encoder_tokens) == (
        0, cached.passage_encoder_tokens,
    )  # fmt: skip
