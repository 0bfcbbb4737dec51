"""Setwise: a heap sort by letters' logits."""

import random

import pytest

from baselines.setwise import Setwise, heap_top
from tests.llm.test_local import llm, requests
from tests.shapes import save_causal


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_causal(tmp_path_factory.mktemp("lm") / "m", "qwen3")


def sort(values, children, top):
    """The places that a heap sort with a perfect judge finds, and its comparisons."""
    comparisons, steps = 0, heap_top(len(values), children, top)
    try:
        members = next(steps)
        while True:
            comparisons += 1
            members = steps.send(max(range(len(members)), key=lambda i: values[members[i]]))
    except StopIteration as end:
        return end.value, comparisons


@pytest.mark.parametrize("children", [1, 2, 3, 5])
def test_a_perfect_judge_sorts_the_top_ranks(children):
    rng = random.Random(1)
    for length in range(40):
        values = [rng.random() for _ in range(length)]
        best = sorted(range(length), key=lambda place: -values[place])
        assert sort(values, children, 10)[0] == best[:10]


def test_far_fewer_comparisons_than_pairs():
    _, comparisons = sort([float(-n) for n in range(100)], 3, 10)
    assert 33 <= comparisons <= 33 + 10 * 4


def test_one_forward_pass_per_set_and_the_same_scores_alone(folder):
    options = {"llm": llm(folder), "words": 5}
    system = Setwise.load(Setwise.Options.model_validate(options))
    seen = []
    system.model.model.register_forward_hook(lambda m, args, out: seen.append(len(out.logits)))
    lists = requests([0, 1, 3, 30])
    together = system.rerank_many(lists)
    assert sum(seen) == sum(r.usage.model_calls for r in together)
    assert [r.usage.model_calls for r in together][:2] == [0, 0]
    for (query, listed), ranking in zip(lists, together, strict=True):
        assert sorted(ranking.passage_ids) == sorted(c.passage.id for c in listed)
        assert ranking.usage.generated_tokens == 0
        assert system.rerank(query, listed).passage_ids == ranking.passage_ids
    rest = list(together[3].passage_ids[10:])
    assert rest == sorted(rest, key=lambda i: int(i.split("-")[1]))  # first-stage order


def test_the_best_of_a_set_is_the_letter_with_the_largest_logit(folder):
    import torch

    options = {"llm": llm(folder), "children": 2, "top": 1}
    system = Setwise.load(Setwise.Options.model_validate(options))
    ((query, listed),) = requests([3])
    prompt = system.template.build(query.text, [c.passage.text for c in listed])
    assert 'Passage B: "' in prompt[0].content
    text = system.model.chat_text(prompt)
    ids = system.model.tokenizer(text + " Passage:")["input_ids"]
    with torch.inference_mode():
        logits = system.model.model(input_ids=torch.tensor([ids])).logits[0, -1]
    best = max(range(3), key=lambda place: float(logits[system.letters[place]]))
    assert system.rerank(query, listed).passage_ids[0] == listed[best].passage.id
