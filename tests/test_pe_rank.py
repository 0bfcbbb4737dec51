"""PE-Rank at tiny size: decoded step by step, counted, trained."""

import math

import pytest
import torch

from baselines.pe_rank.losses import (
    divergence,
    list_losses,
    list_mle,
    step_logits,
)
from baselines.pe_rank.options import PERankOptions, PERankTraining
from baselines.pe_rank.reranker import PERank
from resrank.reranker import TrainingData, TrainingJob
from resrank.training.lists import TrainingList
from resrank.windows import Window
from tests.llm.test_local import requests
from tests.shapes import save_causal
from tests.training.test_training import examples, weights


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    root = tmp_path_factory.mktemp("pe")
    encoder = {"model": save_causal(root / "e", "qwen3", ends=True), "dtype": "float32"}
    return PERankOptions.model_validate(
        {"encoder": encoder, "reranker": save_causal(root / "d", "qwen3", hidden=32)}
    )


@pytest.fixture(scope="module")
def system(options):
    return PERank.load(options)


def test_a_hundred_candidates_are_encoded_once_and_written_window_by_window(system):
    (ranking,) = system.rerank_many(requests([100]))
    usage = ranking.usage
    assert (usage.model_calls, usage.embedding_slots, usage.generated_tokens) == (9, 180, 180)
    encoder = system.model.encoder
    texts = [c.passage.text for c in requests([100])[0][1]]
    assert usage.passage_encoder_tokens == sum(map(len, encoder.tokenize(texts).ids))
    assert sorted(ranking.passage_ids) == sorted(f"0-{n}" for n in range(100))


@pytest.mark.parametrize("step", [10, 5, 20])
def test_the_encoder_reads_each_passage_once_whatever_the_windows(options, step):
    window = {"size": 20, "step": step}
    system = PERank.load(options.model_copy(update={"window": Window.model_validate(window)}))
    read = []
    hook = system.model.encoder.model.register_forward_hook(
        lambda _, args, kwargs, out: read.append(len(out.last_hidden_state)), with_kwargs=True
    )
    (ranking,) = system.rerank_many(requests([100]))
    hook.remove()
    assert sum(read) == 100
    assert ranking.usage.model_calls == {10: 9, 5: 17, 20: 5}[step]


def test_each_step_takes_the_best_of_those_left(system):
    ((query, listed),) = requests([6])
    embeddings = system.model.encoder.embed([c.passage.text for c in listed])
    (order,) = system.model.decode([query.text], [embeddings])
    with torch.inference_mode():
        tokens = system.model.project(embeddings)
        row, left, wanted = system.model._prompt(query.text, tokens), set(range(6)), []
        while left:  # by hand, without a cache
            hidden = system.model.decoder(row.unsqueeze(0), torch.ones(1, len(row)).long())[0, -1]
            best = max(left, key=lambda place, h=hidden: float(h @ tokens[place]))
            left.remove(best)
            wanted.append(best)
            row = torch.cat([row, tokens[best : best + 1]])
    assert order == wanted


def test_batches_change_nothing(system):
    batch = requests([0, 1, 3, 20, 35])
    together = [r.passage_ids for r in system.rerank_many(batch)]
    assert together == [system.rerank(*request).passage_ids for request in batch]


# Token embeddings of a model that is not trained are short: choices would begin flat.
FAST = {"epochs": 120, "learning_rate": 3e-3, "temperature": 0.02, "content_tokens": 4}


def log(*terms):
    return math.log(sum(map(math.exp, terms)))


def test_the_losses_by_hand():
    states, passages = torch.tensor([[3.0, 4.0], [0.0, 2.0]]), torch.tensor(
        [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    )  # fmt: skip
    logits = step_logits(states, passages, [2, 0, 1], True, 0.5)
    assert logits[0].tolist() == pytest.approx([1.2, 1.6, 2.8])  # (0.6, 0.8) / 0.5
    assert logits[1].tolist() == [0.0, 2.0, -math.inf]  # (0, 1) / 0.5, and 2 is chosen
    first, second = log(1.2, 1.6, 2.8) - 2.8, log(0.0, 2.0) - 0.0
    assert list_mle(logits, [2, 0, 1], True).item() == pytest.approx(first + second / 2)
    assert list_mle(logits, [2, 0, 1], False).item() == pytest.approx(first + second)
    plain = step_logits(states, passages, [2, 0, 1], False, 1.0)
    assert plain[0].tolist() == [3.0, 4.0, 7.0]


def test_the_divergence_by_hand():
    inf = math.inf
    plain = torch.tensor([[0.0, math.log(3.0)], [1.0, -inf]], requires_grad=True)
    content = torch.tensor([[0.0, 0.0], [5.0, -inf]], requires_grad=True)
    loss = divergence(plain, content)  # choices of 1/2, 1/2 against 1/4, 3/4; then no choice
    assert loss.item() == pytest.approx(0.5 * math.log(2.0) + 0.5 * math.log(2.0 / 3.0))
    loss.backward()
    assert plain.grad.isfinite().all()
    assert content.grad.isfinite().all()
    assert plain.grad[0, 0] < 0 < plain.grad[0, 1]


def test_losses_are_of_the_steps_that_matter(system):
    ((query, listed),) = requests([4])
    texts = [c.passage.text for c in listed]
    embeddings = system.model.encoder.embed(texts)
    tokens = system.model.project(embeddings)
    item = TrainingList("q", query.text, texts, [0, 2, 0, 1], frozenset())
    options = PERankTraining(normalise=False, temperature=2.0, content_tokens=2)
    with torch.inference_mode():
        losses = list_losses(system.model, item, embeddings, options)
        for name, shown_texts in (
            ("ranking", None),
            ("content", system.model.prompt.fitting("", texts, 2)),
        ):
            prompt = system.model._prompt(query.text, tokens, shown_texts)
            row = torch.cat([prompt, tokens[1:2]])
            hidden = system.model.decoder(row.unsqueeze(0), torch.ones(1, len(row)).long())[0]
            first = (hidden[-2] @ tokens.T / 2).log_softmax(-1)[1]
            second = (hidden[-1] @ tokens[[0, 2, 3]].T / 2).log_softmax(-1)[2]
            wanted = -(first + second / 2).item()
            assert losses[name].item() == pytest.approx(wanted, abs=1e-5)
    assert losses["divergence"] > 0
    without = PERankTraining(content_weight=0, divergence_weight=0)
    alone = list_losses(system.model, item, embeddings, without)
    assert list(alone) == ["ranking"]


def test_the_prompt_has_a_slot_a_passage_and_its_text_behind_it(system):
    decode = system.model.decoder.tokenizer.decode

    def text(around):
        return "(P)".join(map(decode, around))

    prompt = text(system.model.prompt.segments("sort \ue000an array", 2))
    assert prompt.startswith("<user>I will provide you with 2 passages, each with a special token")
    assert (
        "query: sort an array.\nPassage 1: [(P)]\n\nPassage 2: [(P)]\n\nSearch Query: sort"
        in prompt
    )
    assert prompt.endswith("unique special token in the ranking.\n\n<assistant>")
    prompt = text(system.model.prompt.segments("sort", 2, ["a graph", "a plot"]))
    assert "enclosed in [], followed by original text.\n" in prompt
    assert "Passage 1: [(P)] a graph\n\nPassage 2: [(P)] a plot\n\n" in prompt
    long = system.model.prompt.fitting("sort", ["word " * 3000] * 3, 180)
    assert len(system.model.prompt._ids(long[0])) == 180
    long = system.model.prompt.fitting("sort", ["word " * 3000] * 40, 180)
    tokens = torch.zeros(40, system.model.decoder.width)
    assert 3500 < len(system.model._prompt("sort", tokens, long)) <= 4096 - 40


def test_a_plain_prompt_and_a_decoder_without_a_template(options):
    plain = PERank.load(options.model_copy(update={"chat": False})).model
    decode = plain.decoder.tokenizer.decode
    around = [decode(ids) for ids in plain.prompt.segments("sort", 3, ["a", "b", "c"])]
    assert around == [f"{plain.options.instruction}sort", " a", " b", " c ranking: "]
    assert [len(ids) for ids in plain.prompt.segments("sort", 3)[1:3]] == [0, 0]
    model = PERank.load(options).model
    model.decoder.tokenizer.chat_template = None
    with pytest.raises(ValueError, match="no chat template.*`chat: false`"):
        model.prompt.segments("sort", 2)


def train(options, folder, **more):
    rows = []
    training = PERankTraining.model_validate(FAST | more)
    job = TrainingJob(folder / "store", folder / "state", "key", rows.append, seed=1)
    PERank.train(options, training, TrainingData(examples()), folder / "model", job)
    return rows


def test_it_learns_and_is_loadable(options, tmp_path):
    rows = train(options, tmp_path, batch_queries=2, warmup=0.0)
    for name in ("ranking", "content"):
        losses = [row[name] for row in rows]
        assert sum(losses[-10:]) < 0.3 * sum(losses[:10])
    assert max(row["divergence"] for row in rows[-10:]) < 0.1
    trained = PERank.load(options, tmp_path / "model")
    for example in examples():
        ranking = trained.rerank(example.query, example.candidates)
        assert ranking.passage_ids[0] == example.positives[0].id


def test_training_repeats_itself(options, tmp_path):
    first, second = (train(options, tmp_path / name, epochs=5) for name in ("a", "b"))
    for name in ("ranking", "content", "divergence"):
        assert [row[name] for row in second] == [row[name] for row in first]
    assert weights(tmp_path / "b") == weights(tmp_path / "a")


def test_a_teacher_grades_the_lists(options, tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"query_id": "q1", "ranking": ["p3", "p1", "p0"]}\n')
    assert PERankTraining(teacher=path).files == [path]
    train(options, tmp_path, teacher=path)
    example = examples()[1]
    ranking = PERank.load(options, tmp_path / "model").rerank(example.query, example.candidates)
    assert ranking.passage_ids[:3] == ("p3", "p1", "p0")


def test_an_encoder_of_raw_states_is_refused():
    with pytest.raises(ValueError, match="`normalize: false` is for ResRank alone.*leave `norm"):
        PERankOptions.model_validate({"encoder": {"normalize": False}})
