"""Pointwise rerankers, tiny monoT5 and Qwen3-Reranker, against a manual forward pass."""

import pytest
import torch

from baselines.mono_t5 import MonoT5
from baselines.qwen3_reranker import AFTER, BEFORE, Qwen3Reranker
from baselines.yes_no import YesNo
from resrank.check_ranking import verify
from tests.llm.test_local import requests
from tests.shapes import save_causal, save_t5


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    causal = save_causal(root / "q", "qwen3")
    return {MonoT5: save_t5(root / "t5"), Qwen3Reranker: causal, YesNo: causal}


def load(folders, kind, **more):
    if kind is YesNo:
        batch = {name: more.pop(name) for name in ("batch_tokens", "context") if name in more}
        more = {"answers": ("yes", "no")} | more
        dtype = more.pop("dtype", "float32")
        llm = {"kind": "transformers", "model": folders[kind], "dtype": dtype, **batch}
        return YesNo.load(YesNo.Options(llm=llm, **more))
    return kind.load(kind.Options(model=folders[kind], **{"dtype": "float32", **more}))


@pytest.mark.parametrize("kind", [MonoT5, Qwen3Reranker, YesNo])
def test_batches_change_nothing_and_pairs_are_counted(folders, kind):
    lists = requests([0, 1, 30])
    systems = [load(folders, kind, batch_tokens=n) for n in (1, 5000)]
    rankings = [system.rerank_many(lists) for system in systems]
    verify(kind.__name__, systems[0], lists, rankings[0])
    for one, other, (_, listed) in zip(*rankings, lists, strict=True):
        assert one.passage_ids == other.passage_ids
        assert one.scores == pytest.approx(other.scores, abs=1e-5)
        assert one.usage == other.usage
        assert one.usage.model_calls == len(listed)
        assert one.usage.generated_tokens == 0
        assert all(score < 0 for score in one.scores)  # logarithms of a probability


def test_mono_t5_scores_the_log_probability_of_true(folders):
    system = load(folders, MonoT5)
    ((query, listed),) = requests([1])
    tokenizer = system.tokenizer
    text = f"Query: {query.text} Document:"
    ids = [
        *tokenizer(text)["input_ids"], *tokenizer(listed[0].passage.text)["input_ids"],
        *tokenizer("Relevant:")["input_ids"], tokenizer.eos_token_id,
    ]  # fmt: skip
    start = torch.tensor([[system.model.config.decoder_start_token_id]])
    with torch.inference_mode():
        logits = system.model(input_ids=torch.tensor([ids]), decoder_input_ids=start).logits[0, 0]
    targets = tokenizer.convert_tokens_to_ids(["▁true", "▁false"])
    wanted = logits[targets].log_softmax(dim=-1)[0].item()
    assert system.rerank(query, listed).scores[0] == pytest.approx(wanted, abs=1e-5)


def test_qwen3_reranker_scores_the_log_probability_of_yes_in_its_template(folders):
    system = load(folders, Qwen3Reranker, instruction="Rank.")
    ((query, listed),) = requests([1])
    text = f"<Instruct>: Rank.\n<Query>: {query.text}\n<Document>: {listed[0].passage.text}"
    ids = system.model.tokenizer(BEFORE + text)["input_ids"]  # the pair in one, as published
    ids += system.model.tokenizer(AFTER)["input_ids"]
    assert system.pair_ids(query.text, listed[0].passage.text) == (ids, False)
    with torch.inference_mode():
        logits = system.model.model(input_ids=torch.tensor([ids])).logits[0, -1]
    targets = system.model.tokenizer.convert_tokens_to_ids(["yes", "no"])
    wanted = logits[targets].log_softmax(dim=-1)[0].item()
    assert system.rerank(query, listed).scores[0] == pytest.approx(wanted, abs=1e-5)


def test_only_the_passage_is_cut(folders):
    system = load(folders, Qwen3Reranker, max_tokens=400)
    whole, cut = system.pair_ids("a query", "word " * 1000)
    assert cut
    assert len(whole) == 400
    after = system.model.tokenizer(AFTER)["input_ids"]
    assert whole[-len(after) :] == after
    with pytest.raises(ValueError, match="leaves no space for it under max_tokens"):
        load(folders, Qwen3Reranker, max_tokens=64).pair_ids("a query", "word")


def test_a_model_without_the_target_tokens_is_refused(folders):
    with pytest.raises(ValueError, match="no token oui"):
        load(folders, MonoT5, true_token="oui")


def test_yes_no_scores_the_log_probability_of_its_first_answer(folders):
    system = load(folders, YesNo, question="{passage}! {query}?", words=3)
    ((query, _),) = requests([1])
    ids, cut = system.pair_ids(query.text, "one two three four")
    text = f"<user>one two three! {query.text}?<assistant>"
    assert ids == system.model.tokenizer(text)["input_ids"]
    assert cut
    with torch.inference_mode():
        logits = system.model.model(input_ids=torch.tensor([ids])).logits[0, -1]
    targets = system.model.tokenizer.convert_tokens_to_ids(["yes", "no"])
    wanted = logits[targets].log_softmax(dim=-1)[0].item()
    assert system.score_batch([ids])[0] == pytest.approx(wanted, abs=1e-5)


def test_answers_of_the_same_token_are_refused(folders):
    with pytest.raises(ValueError, match="'yes' and 'yes' are the same token"):
        load(folders, YesNo, answers=("yes", "yes"))


def test_yes_no_cuts_a_passage_until_the_pair_fits_the_model(folders):
    system = load(folders, YesNo, context=64, question="{query}: {passage}")
    ids, cut = system.pair_ids("a query", "sort " * 290)
    assert cut
    assert 50 < len(ids) <= 64
    with pytest.raises(ValueError, match="shorten the query or the question"):
        system.pair_ids("query " * 80, "sort")


@pytest.mark.parametrize("question", ["{query}", "{passage} {passage} {query}"])
def test_yes_no_needs_a_place_for_query_and_passage(question):
    with pytest.raises(ValueError, match="the question must hold {passage} once"):
        YesNo.Options(llm={"kind": "transformers", "model": "m"}, question=question)


@pytest.mark.parametrize("kind", [MonoT5, Qwen3Reranker, YesNo])
def test_target_logits_are_in_float32_also_of_a_bfloat16_model(folders, kind):
    """The model's own logits have 8 bits: 40 pairs of short texts have equal ones among them."""
    system = load(folders, kind, dtype="bfloat16")
    ids = [system.pair_ids("a query", f"text {n}")[0] for n in range(40)]
    model = system.model if kind is MonoT5 else system.model.model
    head, states = model.get_output_embeddings(), []
    handle = head.register_forward_hook(lambda _, inputs, __: states.append(inputs[0][:, -1]))
    scores = system.score_batch(ids)
    handle.remove()
    wanted = torch.cat(states).float() @ head.weight[system.targets].float().T
    wanted = wanted.log_softmax(dim=-1)[:, 0]
    rows = [int((wanted - score).abs().argmin()) for score in scores]
    assert scores == pytest.approx(wanted[rows].tolist(), abs=1e-6)
    as_bfloat16 = (torch.cat(states) @ head.weight[system.targets].T).float().log_softmax(-1)[:, 0]
    assert len(set(scores)) > len(set(as_bfloat16.tolist()))
    assert not head._forward_hooks  # later calls have all logits again
