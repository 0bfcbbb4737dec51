"""Training on several collections: weights, batches, instructions, teachers."""

import dataclasses
import json
from collections import Counter

import numpy as np
import pytest

from resrank.model.encoder import Encoder
from resrank.model.resrank import ResRank
from resrank.records import Candidate, Passage, Query, TrainingExample
from resrank.registry import resolve
from resrank.reranker import TrainingData, TrainingJob
from resrank.training import loop
from resrank.training.lists import batches, usable
from resrank.training.mixture import choose, in_batches, quotas, share, used_counts
from resrank.training.options import TrainingStage
from tests.shapes import save_bert, save_causal

WORDS = ["array", "matrix", "sample", "graph", "nodes", "numbers", "values", "path"]


def part(name, size, weight=1.0, ids="q"):
    """The examples of one collection; `ids` begins the query's id in its own files."""
    passages = [Passage(f"p{i}", f"{name} about the {word}") for i, word in enumerate(WORDS)]
    listed = [Candidate(p, -float(i)) for i, p in enumerate(passages[:4])]
    return [
        TrainingExample(
            Query(f"{name}/{ids}{i}", f"find {WORDS[i % 4]}", instruction=f"Search {name}."),
            listed, {f"p{i % 4}": 2}, [passages[i % 4]],
            graded={c.passage.id: 2 * (place == i % 4) for place, c in enumerate(listed)},
            collection=name, weight=weight, id_prefix=f"{name}/",
        )
        for i in range(size)
    ]  # fmt: skip


def plain(examples):
    """The same queries as of one collection alone, under their own ids."""
    return [
        dataclasses.replace(e, query=Query(e.id_in_collection, e.query.text), id_prefix="")
        for e in examples
    ]


def rng(seed=1):
    return np.random.default_rng([seed])


def of_collections(examples):
    return dict(Counter(e.collection for e in examples))


def test_one_collection_is_drawn_as_by_a_plain_permutation():
    examples = plain(part("one", 23))
    by_hand, drawn = rng(), rng()
    order = by_hand.permutation(23)
    assert choose(examples, None, drawn) == [examples[i] for i in order]
    assert choose(examples, 7, rng()) == [examples[i] for i in order[:7]]
    order = by_hand.permutation(23)
    expected = [[examples[i] for i in order[s : s + 5]] for s in range(0, 23, 5)]
    assert in_batches(examples, 5, drawn) == expected
    assert by_hand.random() == drawn.random()  # and not one number more was drawn
    assert used_counts(examples, examples, examples[:3]) == {
        "queries_used": 3, "queries_skipped": 0,
    }  # fmt: skip


def test_weights_are_shares_of_the_queries():
    mixture = part("one", 60, weight=1) + part("two", 60, weight=2)
    for size in (30, 60, 90):
        chosen = choose(mixture, size, rng())
        assert of_collections(chosen) == {"one": size // 3, "two": 2 * size // 3}
        assert len({e.query.id for e in chosen}) == size  # without repetition
    assert quotas([1, 1, 1], 100) == [33, 34, 33]
    assert quotas([0.1, 0.2], 3) == [1, 2]
    assert sum(quotas([3, 1, 7, 2], 101)) == 101


def test_an_epoch_has_as_many_queries_as_the_collections_and_a_small_one_repeats_its_own():
    mixture = part("big", 100) + part("small", 8)
    chosen = choose(mixture, None, rng())
    assert of_collections(chosen) == {"big": 54, "small": 54}
    times = Counter(e.query.id for e in chosen if e.collection == "small")
    assert len(times) == 8
    assert set(times.values()) == {6, 7}
    assert max(Counter(e.query.id for e in chosen if e.collection == "big").values()) == 1
    assert used_counts(mixture, mixture, chosen)["queries_used_of"] == {"big": 54, "small": 54}
    assert [e.query.id for e in choose(mixture, None, rng())] == [e.query.id for e in chosen]
    assert [e.query.id for e in choose(mixture, None, rng(2))] != [e.query.id for e in chosen]


def test_a_batch_holds_queries_of_one_collection():
    mixture = part("one", 10) + part("two", 9)
    stage = TrainingStage(batch_queries=4, list_length=4)
    made = batches(mixture, stage, rng())
    names = [{item.query_id.split("/")[0] for item in batch} for batch in made]
    assert all(len(collections) == 1 for collections in names)
    assert sorted(map(len, made)) == [1, 2, 4, 4, 4, 4]
    assert {item.query_id for batch in made for item in batch} == {e.query.id for e in mixture}
    orders = {tuple(str(n) for n in names)} | {
        tuple(str({i.query_id.split("/")[0] for i in b}) for b in batches(mixture, stage, rng(s)))
        for s in range(2, 6)
    }
    assert len(orders) > 1  # collections do not follow one another in a fixed order
    texts = {text for item in made[0] for text in item.texts}
    assert {text.split()[0] for text in texts} == names[0]


def test_a_share_is_of_each_collection_and_does_not_depend_on_the_mixture():
    one, two = part("one", 20), part("two", 12)
    half = share(one + two, 0, 0.5)
    assert of_collections(half) == {"one": 10, "two": 6}
    alone = share(plain(one), 0, 0.5)
    assert [e.id_in_collection for e in half[:10]] == [e.query.id for e in alone]


def write_run(path, order):
    lines = [f"q{q} Q0 {p} {n} {10 - n} x" for q in range(4) for n, p in enumerate(order, start=1)]
    path.write_text("\n".join(lines) + "\n")


def test_each_collection_has_its_teachers_file_though_ids_are_equal(tmp_path):
    write_run(tmp_path / "one.trec", ["p3", "p2", "p1", "p0"])
    write_run(tmp_path / "two.trec", ["p1", "p0", "p3", "p2"])
    stage = TrainingStage(teacher=str(tmp_path / "{collection}.trec"), list_length=4)
    best = {"one": "p3", "two": "p1"}
    taught = usable(part("one", 4) + part("two", 4), stage)
    assert of_collections(taught) == {"one": 4, "two": 4}
    assert all(max(e.grades, key=e.grades.get) == best[e.collection] for e in taught)
    scored = TrainingStage(
        negatives="sampled", negative_filter={"teacher": str(tmp_path / "{collection}.trec")}
    )
    for example in usable(part("one", 4) + part("two", 4), scored):
        scores = example.teacher_scores
        assert max(scores, key=scores.get) == best[example.collection]


def test_a_collection_that_teaches_nothing_is_named():
    idle = [dataclasses.replace(e, grades={}) for e in part("two", 3)]
    with pytest.raises(ValueError, match="none of the training queries of two teaches anything"):
        usable(part("one", 4) + idle, TrainingStage())


ENCODER = {"dtype": "float32", "layers": 1, "max_tokens": 32,
           "query_instruction": "Instruct: {instruction} Query: "}  # fmt: skip
SHAPE = {"layers": 1, "heads": 2}
SIZES = {"batch_queries": 4, "list_length": 4}
KINDS = {
    "bi_encoder": (ENCODER, {"batch_queries": 4}),
    "resrank": (
        {"encoder": ENCODER, "reranker": SHAPE, "instruction": "{instruction} Rank: ",
         "query_slot": True},
        {"stages": [{**SIZES, "negatives": "sampled", "train_encoder": True}, SIZES]},
    ),
    "e2rank": ({"encoder": ENCODER, "task": "{instruction} Rank:", "chat": False}, SIZES),
    "pe_rank": ({"encoder": ENCODER, "reranker": SHAPE, "chat": False}, SIZES),
    "rankgpt": ({"llm": "llm", "prompt": "short"}, SIZES),
    "first": ({"llm": "llm"}, SIZES),
    "cross_encoder": ({"model": "bert", "max_tokens": 16}, {"batch_queries": 4, "negatives": 2}),
    "rag_match": (
        {"llm": "llm", "words": 8, "max_new_tokens": 8},
        {"knowledge": {"batch_queries": 4}, "alignment": {"share": [0, 1], "pairs": 2}},
    ),
}  # fmt: skip
MIXTURE = part("one", 6, weight=1) + part("two", 6, weight=2)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    causal = save_causal(folder / "lm", "qwen3")
    llm = {"kind": "transformers", "model": causal, "dtype": "float32"}
    return {"llm": llm, "bert": save_bert(folder / "bert")}


@pytest.fixture
def train_on_mixture(models, tmp_path, monkeypatch):
    """Train a kind on the mixture; return its batches and the counts that the model keeps."""

    def run(kind):
        plans = []
        plan = loop._plan
        monkeypatch.setattr(loop, "_plan", lambda phase: plans.append(plan(phase)) or plans[-1])
        given, training = KINDS[kind]
        given = {k: models.get(v, v) if isinstance(v, str) else v for k, v in given.items()}
        cls = resolve(kind)
        job = TrainingJob(tmp_path / "store", tmp_path / "state", "key", seed=1)
        options, made = cls.Options.model_validate(given), cls.Training.model_validate(training)
        cls.train(options, made, TrainingData(MIXTURE), tmp_path / "model", job)
        about = (
            tmp_path
            / "model"
            / {"resrank": "resrank.json", "pe_rank": "pe_rank.json"}.get(kind, "provenance.json")
        )
        return [b for p in plans for _, bs in p for b in bs], json.loads(about.read_text())

    return run


def counts_in(about):
    """Return every `queries_used_of` in a model's provenance."""
    if not isinstance(about, dict):
        return [c for value in about for c in counts_in(value)] if isinstance(about, list) else []
    named = [about["queries_used_of"]] if "queries_used_of" in about else []
    return named + [c for value in about.values() for c in counts_in(value)]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "rag_match"])
def test_every_kind_trains_on_a_mixture_one_collection_per_batch(kind, train_on_mixture):
    made, about = train_on_mixture(kind)
    stages = 2 if kind == "resrank" else 1
    assert counts_in(about) == [{"one": 4, "two": 8}] * stages
    names = [{item.query_id.split("/")[0] for item in batch} for batch in made]
    assert all(len(collections) == 1 for collections in names)
    assert set().union(*names) == {"one", "two"}


def test_a_judge_trains_on_a_mixture(train_on_mixture):
    _, about = train_on_mixture("rag_match")
    assert about["knowledge"]["documents"] == 12


def told(texts):
    """Return the collections whose instruction a text begins with, and whether any has another."""
    kinds = {name for text in texts for name in ("one", "two") if f"search {name}." in text}
    assert all("{" not in text and "search" in text for text in texts), texts
    return kinds


@pytest.mark.parametrize("kind", ["bi_encoder", "resrank", "e2rank"])
def test_each_query_is_told_its_own_collections_instruction(kind, train_on_mixture, monkeypatch):
    embedded, prompts = [], []
    tokenize, query_tokens = Encoder.tokenize, ResRank.query_tokens

    def spy(encoder, texts, *, query=False, **more):
        tokens = tokenize(encoder, texts, query=query, **more)
        if query:
            embedded.append(
                [encoder.tokenizer.decode(ids).replace(" .", ".") for ids in tokens.ids]
            )
        return tokens

    def spy_on_prompt(model, query, instruction=""):
        ids, cut = query_tokens(model, query, instruction)
        prompts.append(model.reranker.tokenizer.decode(ids).lower())
        return ids, cut

    monkeypatch.setattr(Encoder, "tokenize", spy)
    monkeypatch.setattr(ResRank, "query_tokens", spy_on_prompt)
    made, _ = train_on_mixture(kind)
    assert len(embedded) == len(made)
    for batch, texts in zip(made, embedded, strict=True):
        assert told(texts) == {batch[0].query_id.split("/")[0]}
    if kind == "resrank":
        assert told(prompts) == {"one", "two"}
        assert all(text.strip().startswith("search") for text in prompts)


def test_e2ranks_prompt_is_told_the_instruction(models):
    from baselines.e2rank.options import E2RankOptions
    from baselines.e2rank.prompt import ListwisePrompt

    given, _ = KINDS["e2rank"]
    options = E2RankOptions.model_validate(given)
    encoder = Encoder.from_options(options.encoder)
    prompt = ListwisePrompt(encoder, options)
    text = encoder.tokenizer.decode(prompt.ids("find", ["a text"], "Search two."))
    assert "search two. rank : documents" in text.replace(" .", ".")
    with pytest.raises(ValueError, match="which a suite replaces"):
        prompt.ids("find", ["a text"])
