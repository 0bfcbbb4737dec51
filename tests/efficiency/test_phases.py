"""Which phases each kind of system goes through, on tiny models."""

from dataclasses import asdict

import pytest

from resrank.efficiency.scenarios import single_stream
from resrank.registry import resolve
from tests.llm.test_local import llm, requests
from tests.shapes import save_causal

READS = {"prefill", "score", "overhead"}
EMBEDS = {"encode", "score", "overhead"}
COUNTERS = {"encode": "passage_encoder_tokens", "decode": "generated_tokens"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_causal(tmp_path_factory.mktemp("lm") / "m", "qwen3")


def options_of(kind, folder):
    encoder = {"model": folder, "dtype": "float32", "max_tokens": 64}
    two = {"encoder": encoder, "reranker": folder}
    return {
        "rank_fusion": {"system": {"kind": "first_stage"}},
        "first_stage": {}, "bi_encoder": encoder, "resrank": two, "pe_rank": two,
        "e2rank": {"encoder": encoder}, "cross_encoder": {"dtype": "float32"},
        "rankgpt": {"llm": llm(folder), "prompt": "short", "max_new_tokens": 8},
    }.get(kind, {"llm": llm(folder)})  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("first_stage", {"score", "overhead"}),
        ("bi_encoder", EMBEDS),
        ("cross_encoder", READS),
        ("resrank", EMBEDS | READS),
        ("e2rank", EMBEDS | READS),
        ("pe_rank", EMBEDS | READS | {"decode"}),
        ("first", READS),
        ("setwise", READS),
        ("icr", READS),
        ("rankgpt", READS | {"decode"}),
    ],
)
def test_time_is_counted_in_the_phases_of_each_kind(kind, wanted, folder):
    cls = resolve(kind)
    system = cls.load(cls.Options.model_validate(options_of(kind, folder)))
    figures, rankings = single_stream(system.rerank, requests([6, 6]))
    assert {name for name, spent in figures["phases_ms"].items() if spent > 0} == wanted
    for phase, counter in COUNTERS.items():  # The counters and the clock agree.
        assert (phase in wanted) == any(asdict(r.usage)[counter] for r in rankings)
    assert sum(figures["phases_ms"].values()) == pytest.approx(
        sum(figures["samples_ms"]) / len(figures["samples_ms"])
    )
