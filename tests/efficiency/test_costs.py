"""FLOPs of a system from its usage, against torch's counter around the ranking itself."""

from dataclasses import asdict
from functools import partial
from operator import attrgetter

import pytest

from baselines.rank_fusion import RankFusion
from resrank.efficiency.costs import Costs, models_of, shape_of
from resrank.jobs.inputs import load
from resrank.model import batch_threads
from resrank.model.architectures import published_config
from resrank.records import Candidate, Passage, Query, Usage
from resrank.registry import KINDS
from resrank.suite.library import library
from resrank.suite.schema import System
from resrank.work import DecoderShape, QueryShape
from tests.efficiency.test_flops import counted
from tests.shapes import save_causal, save_t5

TEXT = "sort an array of numbers in place and return the sorted copy of the array " * 2
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
SMALL = {"size": 4, "step": 2}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {
        "encoder": save_causal(root / "encoder", "qwen3", ends=True),
        "lm": save_causal(root / "lm", "qwen3"),
        "llama": save_causal(root / "llama", "llama"),
        "t5": save_t5(root / "t5"),
    }


def specs(m):
    llm = {"kind": "transformers", "model": m["lm"], "dtype": "float32"}
    encoder = {"model": m["encoder"], "dtype": "float32"}
    two = {"encoder": encoder, "reranker": m["llama"]}
    minilm = {"dtype": "float32"}
    return {
        "first_stage": {},
        "bi_encoder": encoder,
        "rank_fusion": {"system": {"kind": "bi_encoder", "options": encoder}},
        "cross_encoder": minilm,
        "resrank": two,
        "resrank, with a slot, in windows": two | {"query_slot": True, "window": SMALL},
        "resrank, made here": {"encoder": minilm, "reranker": {"layers": 1}},
        "resrank, an encoder made causal": {
            "encoder": minilm,
            "reranker": {"encoder": MINILM, "layers": 2},
        },
        "e2rank": {"encoder": encoder, "chat": False},
        "pe_rank": two | {"window": SMALL},
        "first": {"llm": llm, "window": SMALL},
        "rankgpt": {"llm": llm, "window": SMALL, "max_new_tokens": 20},
        "setwise": {"llm": llm, "top": 2},
        "icr": {"llm": llm},
        "mono_t5": {"model": m["t5"], "dtype": "float32"},
        "qwen3_reranker": {"model": m["lm"], "dtype": "float32"},
        "yes_no": {"llm": llm, "answers": ["yes", "no"]},
        "rag_match": {"llm": llm},
        "rag_match, an encoder made causal": {
            "llm": llm | {"model": {"encoder": MINILM, "layers": 2}}
        },
        "rag_match, with reasoning": {"llm": llm, "reasoning": True, "max_new_tokens": 20},
    }


class SameThread:
    """Torch counts what its own thread does."""

    def __init__(self, threads):
        self.map = map

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


NAMES = list(specs(dict.fromkeys(["encoder", "lm", "llama", "t5"], "")))


@pytest.mark.parametrize("name", NAMES)
def test_flops_equal_torchs_count(name, models, monkeypatch, tmp_path):
    monkeypatch.setattr(batch_threads, "ThreadPoolExecutor", SameThread)
    spec = System(kind=name.partition(",")[0], options=specs(models)[name])
    system = load(spec, None)
    count = 30 if name == "icr" else 6
    listed = [Candidate(Passage(f"p{n}", TEXT), -float(n)) for n in range(count)]
    rankings = []
    rank = partial(system.rerank, Query("q", "sort the numbers of an array"), listed)
    online = counted(lambda: rankings.append(rank()))
    costs = Costs(spec, {})
    # ICR's two readings after the passages count as one that sees both.
    within = 0.1 if name == "icr" else 0.02
    assert costs.of(rankings[0].usage, count).online == pytest.approx(online, rel=within)
    if system.caches_passages:
        system.prepare([c.passage for c in listed], tmp_path)
        cached = counted(lambda: rankings.append(rank()))
        assert costs.of(rankings[1].usage, count).cached == pytest.approx(cached, rel=0.02)
        assert cached < online
    else:
        cost = costs.of(rankings[0].usage, count)
        assert cost.cached == cost.online
        assert (cost.stepped > 0) == (name in ("rankgpt", "rag_match, with reasoning"))


def test_every_kind_states_its_work():
    assert {name.partition(",")[0] for name in NAMES} == set(KINDS) - {"resrank_saved"}


def test_expected_usage_equals_actual_usage(models):
    """Counts are equal; tokens are estimated from the text's length."""
    for name, options in specs(models).items():
        if name in ("first_stage", "rankgpt", "rag_match, with reasoning"):
            continue  # nothing; a model that was not trained writes what it likes
        spec = System(kind=name.partition(",")[0], options=options)
        system = load(spec, None)
        tokenizer = _tokenizer(system)
        query = "sort the numbers of an array"
        passage, query_tokens = (len(tokenizer(text)["input_ids"]) for text in (TEXT, query))
        listed = [Candidate(Passage(f"p{n}", TEXT), -float(n)) for n in range(6)]
        used = system.rerank(Query("q", query), listed).usage
        expected = spec.estimate_usage(QueryShape(6, passage, query_tokens))
        exact = ("embedding_slots", "generated_tokens")
        exact += () if name == "setwise" else ("model_calls",)  # depends on the model's answers
        for counter in exact:
            assert asdict(expected)[counter] == asdict(used)[counter], (name, counter)
        assert expected.passage_encoder_tokens == used.passage_encoder_tokens, name


def test_pe_ranks_two_prompts():
    """Nine windows of 20; a plain prompt has 13 tokens of instruction, 3 of closing, 10 of query."""
    options = {"reranker": "Qwen/Qwen3-4B"}
    plain, chat = (
        System(kind="pe_rank", options=options | {"chat": chat}).estimate_usage(QueryShape())
        for chat in (False, True)
    )
    assert plain.prompt_tokens == 9 * (13 + 3 + 10)
    assert chat.prompt_tokens > plain.prompt_tokens + 180 * 3
    assert plain.generated_tokens == chat.generated_tokens == 180


def _tokenizer(system):
    if isinstance(system, RankFusion):
        return _tokenizer(system.systems[0])
    for path in ("tokenizer", "model.tokenizer", "model.encoder.tokenizer", "encoder.tokenizer",
                 "reader.llm.tokenizer"):  # fmt: skip
        try:
            return attrgetter(path)(system)
        except AttributeError:
            continue
    raise AssertionError(system)


def test_trained_systems_have_the_shape_of_their_initial_models():
    systems = library().systems
    minilm = shape_of("sentence-transformers/all-MiniLM-L6-v2", systems)
    assert shape_of("trained:bi_encoder_tuned", systems) == minilm
    saved = models_of(systems["resrank_joint_window"])
    assert saved == ["trained:resrank_joint/encoder", "trained:resrank_joint/reranker"]
    encoder, reranker = (shape_of(model, systems) for model in saved)
    assert encoder == minilm
    assert (reranker.stack.layers, reranker.stack.hidden, reranker.vocabulary) == (6, 384, 30522)


def test_an_unknown_shape_has_no_figure(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "gpt2", "n_embd": 8}')
    assert shape_of(str(tmp_path), {}) is None
    unknown = System(kind="bi_encoder", options={"model": "somebody/model"})
    usage = Usage(passage_encoder_tokens=100, prompt_tokens=5, query_encoder_tokens=5)
    assert Costs(unknown, {}).of(usage, 2) is None
    assert Costs(unknown, {}).mean([(usage, 2)]) is None
    http = {"kind": "http", "url": "http://localhost:1/v1", "model": "Qwen/Qwen3-4B"}
    endpoint = System(kind="rankgpt", options={"llm": http})
    assert Costs(endpoint, {}).of(usage, 2) is None
    assert shape_of(DecoderShape(2, 8, 2, 8, "somebody/model"), {}) is None


def test_the_librarys_models_have_shapes():
    systems = library().systems
    for name, spec in systems.items():
        assert all(shape_of(model, systems) for model in models_of(spec)), name
    assert published_config("somebody/model") is None
