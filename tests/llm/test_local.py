"""Tiny language models in this process: counted calls, and batching that changes nothing."""

import json

import pytest
import transformers

from baselines.first import First
from baselines.llm.backends.transformers import TransformersModel
from baselines.llm.interface import Message
from baselines.llm.options import TransformersOptions
from baselines.rankgpt import RankGPT
from resrank.records import Candidate, Passage, Query
from tests.shapes import save_causal

WORDS = [
    "array",
    "sort",
    "graph",
    "path",
    "matrix",
    "node",
    "value",
    "sample",
    "number",
    "plot",
    "axis",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_causal(tmp_path_factory.mktemp("lm") / "m", "qwen3")


def llm(folder, batch_tokens=4096, **more):
    return {"kind": "transformers", "model": folder, "dtype": "float32",
            "batch_tokens": batch_tokens, **more}  # fmt: skip


def requests(sizes):
    return [
        (Query(f"q{i}", WORDS[i]),
         [Candidate(Passage(f"{i}-{n}", f"{WORDS[n % 11]} {WORDS[(n * 7 + i) % 11]} {n}"), -float(n))
          for n in range(size)])
        for i, size in enumerate(sizes)
    ]  # fmt: skip


def test_first_takes_one_forward_pass_per_window_and_generates_nothing(folder):
    system = First.load(First.Options.model_validate({"llm": llm(folder)}))
    seen = []
    system.model.model.register_forward_hook(lambda m, args, out: seen.append(len(out.logits)))
    system.model.model.generate = None  # nothing may call it
    (ranking,) = system.rerank_many(requests([100]))
    assert sum(seen) == 9
    usage = ranking.usage
    assert (usage.model_calls, usage.generated_tokens) == (9, 0)
    assert sorted(ranking.passage_ids) == sorted(f"0-{n}" for n in range(100))
    assert all(a > b for a, b in zip(ranking.scores, ranking.scores[1:], strict=False))


def test_first_ranks_by_the_letters_logits(folder):
    system = First.load(First.Options.model_validate({"llm": llm(folder)}))
    ((query, listed),) = requests([5])
    prompt = system.template.build(query.text, [c.passage.text for c in listed])
    text = system.model.tokenizer.apply_chat_template(
        [m._asdict() for m in prompt], add_generation_prompt=True, tokenize=False
    )
    ids = system.model.tokenizer(text + "[")["input_ids"]
    import torch

    with torch.inference_mode():
        logits = system.model.model(input_ids=torch.tensor([ids])).logits[0, -1]
    by_hand = sorted(range(5), key=lambda place: -float(logits[system.letters[place]]))
    ranked = system.rerank(query, listed).passage_ids
    assert ranked == tuple(listed[place].passage.id for place in by_hand)


@pytest.mark.parametrize("kind", [First, RankGPT])
def test_batching_changes_nothing(folder, kind):
    lists = requests([0, 1, 3, 20, 21, 35])
    options = {"window": {"size": 8, "step": 4}} | (
        {"max_new_tokens": 8} if kind is RankGPT else {}
    )
    results = []
    for batch in (1, 2000):
        made = kind.Options.model_validate({"llm": llm(folder, batch), **options})
        results.append(kind.load(made).rerank_many(lists))
    alone = kind.load(made)
    results.append([alone.rerank(*request) for request in lists])
    orders = [[r.passage_ids for r in rankings] for rankings in results]
    assert orders[0] == orders[1] == orders[2]
    usages = [[r.usage for r in rankings] for rankings in results]
    assert usages[0] == usages[1] == usages[2]
    for ranking, (_, listed) in zip(results[0], lists, strict=True):
        assert sorted(ranking.passage_ids) == sorted(c.passage.id for c in listed)


def test_rankgpt_calls_and_effective_parameters(folder):
    options = RankGPT.Options.model_validate({"llm": llm(folder), "max_new_tokens": 4})
    system = RankGPT.load(options)
    system.model.model.generation_config.do_sample = True  # as published models have it
    system.model.model.generation_config.temperature = 0.7
    system.model.model.generation_config.eos_token_id = [7, 3]
    (ranking,) = system.rerank_many(requests([100]))
    assert ranking.usage.model_calls == 9
    assert 9 <= ranking.usage.generated_tokens <= 36
    prompts = [system.template.build("sort", WORDS[:3])]
    texts = [dict(system.model.answers(prompts, 20))[0].text for _ in range(3)]
    assert len(set(texts)) == 1
    parameters = system.about["parameters"]
    wanted = {"temperature": 0.0, "do_sample": False, "top_p": 1.0, "top_k": 0, "context": 4096,
              "max_new_tokens": 4, "dtype": "float32", "attention": "sdpa"}  # fmt: skip
    assert {name: parameters[name] for name in wanted} == wanted
    assert parameters["eos_token_ids"] == [3, 7]
    assert parameters["transformers"] == transformers.__version__
    assert len(parameters["weights"]) == 64
    assert json.dumps(parameters)
    assert len(system.about["prompt_hash"]) == 64


def test_a_sampled_answer_depends_only_on_its_prompt(folder, tmp_path):
    """Neither other prompts nor what a killed run has already done change them."""
    from baselines.llm.prompts.template import template

    prompts = [template("short").build("sort", WORDS[:n]) for n in (2, 5, 3)]

    def texts(prompts, **more):
        options = TransformersOptions.model_validate(llm(folder, temperature=1.5, **more))
        answers = dict(TransformersModel(options).answers(prompts, 12))
        return [answers[place].text for place in range(len(prompts))]

    whole = texts(prompts)
    assert whole == texts(prompts)
    assert whole[1:] == texts(prompts[1:])
    assert whole[::-1] == texts(prompts[::-1])
    assert len({*whole, *texts(prompts, seed=1)}) == 6


def test_a_resumed_run_repeats_no_sample(folder, tmp_path):
    options = RankGPT.Options.model_validate(
        {"llm": llm(folder, temperature=1.5), "max_new_tokens": 8, "window": {"size": 4, "step": 2}}
    )
    whole, again = RankGPT.load(options), RankGPT.load(options)
    whole.keep_transcript(tmp_path / "seed0.trec")
    wanted = [r.passage_ids for r in whole.rerank_many(requests([8, 9]))]
    path = whole.transcript.path
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:4]))  # as a killed run leaves it
    again.keep_transcript(tmp_path / "seed0.trec")
    assert [r.passage_ids for r in again.rerank_many(requests([8, 9]))] == wanted
    assert path.read_text().startswith("".join(lines[:4]))
    assert len(path.read_text().splitlines()) == len(lines)
    assert again.about["transcript"] == whole.about["transcript"]


def test_exact_answers_have_a_permutations_length_and_a_separate_transcript(folder, tmp_path):
    def ranked(exact):
        options = {"llm": llm(folder, exact_answers=exact), "window": {"size": 4, "step": 2}}
        system = RankGPT.load(RankGPT.Options.model_validate(options))
        system.keep_transcript(tmp_path / "seed0.trec")
        (ranking,) = system.rerank_many(requests([4]))
        return system, ranking.usage.generated_tokens

    system, written = ranked(True)
    order = system.llm.tokenizer("[1] > [2] > [3] > [4]", add_special_tokens=False)["input_ids"]
    assert written == len(order) + 1
    assert ranked(False)[0].transcript.path != system.transcript.path


def test_answers_equal_those_of_generate(folder):
    model = TransformersModel(TransformersOptions.model_validate(llm(folder)))
    from baselines.llm.prompts.template import template

    prompts = [template("short").build("sort", WORDS[:n]) for n in (2, 5, 3)]
    answers = dict(model.answers(prompts, 6))
    import torch

    for place, prompt in enumerate(prompts):
        ids = torch.tensor(model.tokenize([prompt]))
        out = model.model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=6, do_sample=False,
            pad_token_id=model.pad,
        )[0, ids.shape[1] :]  # fmt: skip
        assert answers[place].text == model.tokenizer.decode(out, skip_special_tokens=True).strip()
        assert answers[place].prompt_tokens == ids.shape[1]


def test_a_window_of_more_passages_than_letters_is_refused(folder):
    with pytest.raises(ValueError, match="there are 26 letters"):
        First.Options.model_validate({"llm": llm(folder), "window": {"size": 30, "step": 10}})


def test_passages_are_cut_until_prompt_and_answer_fit(folder):
    lists = [(Query("q", "sort"),
              [Candidate(Passage(str(n), f"{WORDS[n]} " * 290), -float(n)) for n in range(8)])]  # fmt: skip
    options = {"window": {"size": 8, "step": 4}, "max_new_tokens": 8}
    system = RankGPT.load(RankGPT.Options.model_validate({"llm": llm(folder), **options}))
    seen = []
    inner = system.llm.answers
    system.model.answers = lambda prompts, *more: seen.extend(prompts) or inner(prompts, *more)
    (ranking,) = system.rerank_many(lists)
    assert system.llm.positions == 4096
    assert 3000 < system.llm.count(seen[0]) <= 4096 - 8
    assert ranking.usage.truncated_passages == 8
    lists[0] = (Query("q", "sort " * 3000), lists[0][1])
    with pytest.raises(ValueError, match="even with one word of each"):
        system.rerank_many(lists)


def test_a_prompt_with_the_wrong_identifiers_is_refused(folder):
    with pytest.raises(ValueError, match="names passages by letters"):
        RankGPT.load(RankGPT.Options.model_validate({"llm": llm(folder), "prompt": "first"}))
    with pytest.raises(ValueError, match="names passages by numbers"):
        First.load(First.Options.model_validate({"llm": llm(folder), "prompt": "short"}))


def test_a_system_turn_moves_to_the_user_turn_if_the_template_refuses_it(folder):
    model = TransformersModel(TransformersOptions.model_validate(llm(folder)))
    prompt = (Message("system", "Be brief."), Message("user", "Rank."))
    turns = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
    refuse = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    model.tokenizer.chat_template = refuse + turns
    assert model.chat_text(prompt) == "<user>Be brief.\nRank."
    model.tokenizer.chat_template = "{{ raise_exception('no turns') }}"
    with pytest.raises(ValueError, match="refuses turns of system, user: no turns"):
        model.chat_text(prompt)
    model.tokenizer.chat_template = None
    with pytest.raises(ValueError, match="no chat template; use a prompt of role `text`"):
        model.chat_text(prompt)


def test_a_text_prompt_gets_no_end_token():
    options = {"kind": "transformers", "model": {"layers": 1}, "dtype": "float32"}
    model = TransformersModel(TransformersOptions.model_validate(options))
    (ids,) = model.tokenize([(Message("text", "rank these:"),)])
    assert ids[-1] == model.tokenizer(":", add_special_tokens=False)["input_ids"][-1]
