"""Answers after prompts: where they begin, and their log-probabilities under the whole model."""

import pytest
import torch

from baselines.llm.backends.transformers import TransformersModel
from baselines.llm.options import TransformersOptions
from baselines.rag_match.likelihood import Likelihood
from baselines.rag_match.options import JudgeOptions
from baselines.rag_match.prompts import document_prompt, fitted_pair_prompt, pair_prompt
from baselines.rag_match.sequences import answered, grade_tokens
from baselines.rag_match.trace import OPENING
from tests.rag_match.test_trace import TEXT, TRACE
from tests.shapes import save_causal

PAIR = pair_prompt("Judge.", "sort an array", "Return the sorted copy of an array.", 100)


@pytest.fixture(scope="module", params=["qwen3", "llama", "scratch", "encoder"])
def model(request, tmp_path_factory):
    shape = {"layers": 1} if request.param == "scratch" else {}
    if request.param == "encoder":
        shape = {"encoder": "sentence-transformers/all-MiniLM-L6-v2"}
    elif not shape:
        shape = save_causal(tmp_path_factory.mktemp("lm") / "m", request.param)
    return TransformersModel(TransformersOptions(kind="transformers", model=shape, dtype="float32"))


def test_an_answer_begins_after_its_prompt_and_ends(model):
    ids, start = answered(model, PAIR, TEXT)
    (before,) = model.tokenize([PAIR])
    assert ids[:start] == before
    assert ids[-1] == model.tokenizer.eos_token_id
    assert "".join(model.tokenizer.decode(ids[start:-1]).split()) == "".join(TEXT.split())


def test_grades_are_read_after_an_opening_with_and_without_reasoning(model):
    tokens = grade_tokens(model)
    assert len(set(tokens)) == 3
    openings = (OPENING, TRACE.reasoning())
    ids = [model.tokenize([PAIR], opening=opening)[0] for opening in openings]
    for grade, token in enumerate(tokens):
        for opening, row in zip(openings, ids, strict=True):
            assert model.tokenize([PAIR], opening=f"{opening}{grade}")[0] == [*row, token]
    logits = Likelihood(model, False).grades(ids, tokens)
    wanted = model.first_logits(ids, tokens)
    assert torch.allclose(logits, wanted, atol=1e-4)


def test_log_probabilities_equal_the_whole_models_in_any_batch(model):
    items = [
        answered(model, PAIR, TEXT),
        answered(model, document_prompt("Write.", "matrix"), "Invert a square matrix."),
    ]
    likelihood = Likelihood(model, False)
    together = likelihood(items)
    for item, tokens in zip(items, together, strict=True):
        ids = torch.tensor([item.ids])
        logits = model.model(input_ids=ids).logits[0].log_softmax(dim=-1)
        wanted = [logits[p - 1, item.ids[p]].item() for p in range(item.start, len(item.ids))]
        assert tokens.tolist() == pytest.approx(wanted, abs=1e-4)
    sums = likelihood.sums(items, 64)
    assert sums.tolist() == pytest.approx([t.sum().item() for t in together], abs=1e-3)
    assert together[0].requires_grad
    assert not sums.requires_grad


def test_a_passage_is_cut_until_pair_and_answer_fit(model):
    options = model.options.model_copy(update={"context": 200})
    small = TransformersModel(options)

    def fitted(query, passage, words):
        judge = JudgeOptions(llm=options, instruction="Judge.", words=words)
        return fitted_pair_prompt(small, judge, query, passage, 50)

    prompt, cut = fitted("sort", "word " * 500, 1000)
    assert cut
    assert small.count(prompt) <= 150
    prompt, cut = fitted("sort", "a b c", 2)
    assert cut
    assert prompt[0].content.endswith("Passage: a b\n")
    assert not fitted("sort", "a b c", 3).cut
    with pytest.raises(ValueError, match=r"leaves no room for 50 more in the model's 200"):
        fitted("sort " * 300, "a", 3)
