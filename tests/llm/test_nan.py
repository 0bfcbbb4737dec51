"""Weights that are not numbers end every kind of reranker with an error, and never with a run."""

import pytest
import torch

from resrank.records import Candidate, Passage, Query
from resrank.registry import KINDS, resolve
from tests.shapes import save_bert, save_causal, save_t5

LISTED = [Candidate(Passage(f"p{n}", f"sort {n}"), -float(n)) for n in range(5)]
WITHOUT_WEIGHTS = {
    "first_stage",
    "rank_fusion",
    "resrank_saved",
}  # fusion and saved models: of others
SMALL = {"layers": 1, "heads": 2}


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """Options of each kind over tiny models."""
    root = tmp_path_factory.mktemp("nan")
    llm = {"llm": {"kind": "transformers", "model": save_causal(root / "lm", "qwen3"),
                   "dtype": "float32"}}  # fmt: skip
    windows = llm | {"window": {"size": 4, "step": 2}}
    encoder = {"model": save_causal(root / "e", "qwen3", ends=True), "dtype": "float32"}
    named = {"model": llm["llm"]["model"], "dtype": "float32"}
    return {
        "first": windows, "setwise": llm, "icr": llm, "rag_match": llm,
        "rankgpt": windows | {"max_new_tokens": 4}, "yes_no": llm | {"answers": ("yes", "no")},
        "qwen3_reranker": named, "e2rank": {"encoder": encoder},
        "mono_t5": {"model": save_t5(root / "t5"), "dtype": "float32"},
        "cross_encoder": {"model": save_bert(root / "b"), "dtype": "float32"},
        "bi_encoder": encoder, "resrank": {"encoder": encoder, "reranker": SMALL, "projector": True},
        "pe_rank": {"encoder": encoder, "reranker": save_causal(root / "d", "qwen3", hidden=32)},
    }  # fmt: skip


def modules(thing, depth=4):
    """The torch modules among an object's attributes, and theirs."""
    if isinstance(thing, torch.nn.Module):
        yield thing
    elif depth and hasattr(thing, "__dict__") and not isinstance(thing, type):
        for value in vars(thing).values():
            yield from modules(value, depth - 1)


def loaded(options, kind, value):
    cls = resolve(kind)
    system = cls.load(cls.Options.model_validate(options[kind]))
    networks = list(modules(system))
    assert networks
    for parameter in (p for module in networks for p in module.parameters()):
        parameter.data.fill_(value)
    return system


@pytest.mark.parametrize("kind", sorted(set(KINDS) - WITHOUT_WEIGHTS))
def test_weights_that_are_no_numbers(options, kind):
    with pytest.raises(ValueError, match="finite"):
        loaded(options, kind, torch.nan).rerank(Query("q", "sort"), LISTED)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_written_answers_of_such_weights(options, temperature, value):
    changed = {
        "rankgpt": options["rankgpt"]
        | {"llm": options["rankgpt"]["llm"] | {"temperature": temperature}}
    }
    with pytest.raises(
        ValueError, match="logits of an answer are not finite numbers.*dtype: float32"
    ):
        loaded(changed, "rankgpt", value).rerank(Query("q", "sort"), LISTED)
