"""Training of a tiny listwise language model: targets, losses, loading the result."""

import dataclasses
import json

import pytest
import torch

from baselines.llm.backends.transformers import TransformersModel
from baselines.llm.listwise_training import WindowLosses
from baselines.llm.options import TransformersOptions
from baselines.llm.prompts.template import LETTERS, template
from resrank.records import Candidate, Passage, Query, TrainingExample
from resrank.registry import resolve
from resrank.reranker import TrainingData, TrainingJob
from resrank.training.lists import TrainingList
from resrank.training.losses import ranknet
from tests.conftest import ROOT
from tests.shapes import save_causal
from tests.training.processes import over_processes
from tests.training.steps import assert_same_step

SCRATCH = {"kind": "transformers", "model": {"layers": 1}, "dtype": "float32"}
ITEM = TrainingList("q", "sort", ["a graph", "sort an array", "a plot"], [0, 2, 1], frozenset())


@pytest.fixture(scope="module", params=["qwen3", "llama", "mistral"])
def model(request, tmp_path_factory):
    folder = save_causal(tmp_path_factory.mktemp("lm") / "m", request.param)
    options = TransformersOptions(kind="transformers", model=folder, dtype="float32")
    return TransformersModel(options)


@pytest.mark.parametrize(
    ("prompt", "answer"), [("short", "[2] > [3] > [1]"), ("first", "[B] > [C] > [A]"),
                           ("rankvicuna", "[2] > [3] > [1]")],
)  # fmt: skip
def test_the_target_is_the_correct_order_and_an_end_token(model, prompt, answer):
    losses = WindowLosses(model, template(prompt), None, False)
    ids, start, order = losses.target(ITEM)
    assert order == [1, 2, 0]
    assert model.tokenizer.decode(ids[start:-1]) == answer
    assert ids[-1] == model.tokenizer.eos_token_id
    (before,) = model.tokenize([template(prompt).build(ITEM.query, ITEM.texts)])
    assert ids[:start] == before[:start]


def test_losses_equal_those_of_the_unsplit_model(model):
    letters = [model.token_after("[", letter) for letter in LETTERS[:3]]
    losses = WindowLosses(model, template("first"), None, False, 10.0, letters)
    computed = losses([ITEM])
    ids, start, _ = losses.target(ITEM)
    labels = torch.tensor([[-100] * start + ids[start:]])
    whole = model.model(input_ids=torch.tensor([ids]), labels=labels)
    assert computed["writing"] == pytest.approx(whole.loss.item(), abs=1e-5)
    at = model.tokenize([template("first").build(ITEM.query, ITEM.texts)], opening="[")
    logits = model.first_logits(at, letters)[0]
    ranking = ranknet(logits, torch.tensor(ITEM.grades), by_rank=True)
    assert computed["ranking"] == pytest.approx(ranking.item(), abs=1e-5)


def test_ranknet_by_rank_weighs_pairs_by_the_sum_of_their_ranks():
    scores, grades = torch.tensor([0.3, -0.2, 0.9]), torch.tensor([1, 2, 0])
    pairs = {(1, 0): 1 / 3, (1, 2): 1 / 4, (0, 2): 1 / 5}  # ranks: 1 first, 0 second, 2 third
    terms = [torch.log1p(torch.exp(scores[b] - scores[a])) * w for (a, b), w in pairs.items()]
    assert ranknet(scores, grades, by_rank=True).item() == pytest.approx(float(sum(terms)) / 3)


def examples(count=24, size=6):
    """The relevant passage says so, at a place that differs."""
    rows = []
    for q in range(count):
        right = q * 5 % size
        texts = [f"yes number {q}" if n == right else f"word {n} of {q}" for n in range(size)]
        listed = [Candidate(Passage(f"{q}-{n}", text), -float(n)) for n, text in enumerate(texts)]
        rows.append(
            TrainingExample(
                Query(f"q{q}", f"number {q}"), listed, {f"{q}-{right}": 1}, [listed[right].passage]
            )
        )
    return rows


@pytest.mark.parametrize("kind", ["rankgpt", "first", "e2rank"])
def test_training_improves_the_ranking_and_the_model_loads(kind, tmp_path):
    cls = resolve(kind)
    given = {"llm": SCRATCH, "prompt": "first" if kind == "first" else "short"}
    if kind == "e2rank":
        given = {"encoder": {"dtype": "float32", "max_tokens": 32}, "chat": False, "words": 10}
    options = cls.Options.model_validate(given)
    rate = 5e-5 if kind == "e2rank" else 1e-3
    training = cls.Training.model_validate(
        {"epochs": 4, "batch_queries": 4, "list_length": 6, "learning_rate": rate}
    )
    rows = []
    job = TrainingJob(tmp_path / "store", tmp_path / "checkpoints", "key", rows.append, seed=1)
    train = examples()
    cls.train(options, training, TrainingData(train), tmp_path / "model", job)
    names = {"rankgpt": ["writing"], "first": ["writing", "ranking"],
             "e2rank": ["retrieval", "ranking"]}[kind]  # fmt: skip
    for name in names:
        first, last = (sum(row[name] for row in part) for part in (rows[:4], rows[-4:]))
        assert last < (0.95 if (kind, name) == ("first", "ranking") else 0.8) * first
    system = cls.load(options, tmp_path / "model")
    lists = [(e.query, e.candidates) for e in train[:3]]
    for (_, listed), ranking in zip(lists, system.rerank_many(lists), strict=True):
        assert sorted(ranking.passage_ids) == sorted(c.passage.id for c in listed)


def logs_of(folder, count):
    script = ROOT / "tests" / "training" / "two_processes_lists.py"
    done = over_processes(count, script, str(folder))
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "log.json").read_text())


def test_two_processes_take_the_same_steps_as_one(tmp_path):
    alone, together = (logs_of(tmp_path / str(n), n) for n in (1, 2))
    assert list(alone) == ["rankgpt", "first", "e2rank", "pe_rank"]
    for kind, rows in alone.items():
        assert len(rows) == len(together[kind]) == 3
        for one, other in zip(rows, together[kind], strict=True):
            assert one.keys() == other.keys()
            assert {"gradient", "step", "phase"} < one.keys()
            assert_same_step(one, other, rel=1e-4, abs=1e-6)


def test_only_adapters_are_trained_and_then_merged(tmp_path):
    folder = save_causal(tmp_path / "m", "qwen3")
    cls = resolve("rankgpt")
    llm = {"kind": "transformers", "model": folder, "dtype": "float32"}
    options = cls.Options.model_validate({"llm": llm, "prompt": "short"})
    more = {"lora": {"rank": 4}, "gradient_checkpointing": True, "learning_rate": 1e-2}
    training = cls.Training.model_validate({"batch_queries": 8, "list_length": 6, **more})
    job = TrainingJob(tmp_path / "store", tmp_path / "checkpoints", "key", seed=1)
    cls.train(options, training, TrainingData(examples()), tmp_path / "out", job)
    before = TransformersModel(options.llm).model.state_dict()
    after = TransformersModel(options.llm.trained(tmp_path / "out")).model.state_dict()
    assert before.keys() == after.keys()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert all(".self_attn." in name or ".mlp." in name for name in moved)
    assert all("norm" not in name for name in moved)


def test_lists_without_a_preference_are_counted(tmp_path):
    cls = resolve("rankgpt")
    options = cls.Options.model_validate({"llm": SCRATCH, "prompt": "short"})
    job = TrainingJob(tmp_path / "store", tmp_path / "checkpoints", "key", seed=1)
    given = examples(4)
    given[0] = dataclasses.replace(given[0], candidates=[])
    given[1] = dataclasses.replace(given[1], grades={})
    last = Candidate(given[2].positives[0], -9.0)  # the relevant one, beyond what is shown
    others = [c for c in given[2].candidates if c.passage.id != last.passage.id]
    given[2] = dataclasses.replace(given[2], candidates=[*others, last])
    message = (
        "none of 3 training queries teaches anything: 2 have candidates, 2 a relevant passage, "
        "0 passages of different grade among the 5 that a list holds; train on more queries"
    )
    with pytest.raises(ValueError, match=message):
        cls.train(
            options, cls.Training(list_length=5), TrainingData(given[:3]), tmp_path / "out", job
        )


def test_a_model_behind_an_endpoint_cannot_be_trained(tmp_path):
    cls = resolve("rankgpt")
    llm = {"kind": "http", "url": "http://x", "model": "m"}
    options = cls.Options.model_validate({"llm": llm})
    job = TrainingJob(tmp_path / "store", tmp_path / "checkpoints", "key", seed=1)
    with pytest.raises(ValueError, match="cannot be trained here"):
        cls.train(options, cls.Training(), TrainingData(examples()), tmp_path / "out", job)


def test_token_embeddings_of_another_width_are_refused():
    llm = {"kind": "transformers", "model": {"layers": 1, "hidden": 64, "heads": 2}}
    with pytest.raises(ValueError, match="hidden 64, but the token embeddings"):
        TransformersModel(TransformersOptions.model_validate(llm))
