"""ICR: scores from attention, against a computation in one piece."""

import pytest
import torch

from baselines.icr.options import ICROptions
from baselines.icr.reranker import ICR
from resrank.records import Candidate, Passage
from tests.llm.test_local import llm, requests
from tests.shapes import save_causal


@pytest.fixture(scope="module", params=["qwen3", "llama", "mistral"])
def folder(request, tmp_path_factory):
    return save_causal(tmp_path_factory.mktemp("lm") / "m", request.param)


def load(folder, **more):
    return ICR.load(ICROptions.model_validate({"llm": llm(folder), **more}))


def in_one_piece(system, query, passages):
    """The same from two whole forward passes with every attention weight."""
    model = system.reader.llm.model
    model.set_attn_implementation("eager")
    given = []
    for text in (query, "N/A"):
        reading = system.reader.reading(text, passages)
        with torch.inference_mode():
            out = model(input_ids=torch.tensor([reading.ids]), output_attentions=True)
        weights = torch.stack(out.attentions)[:, 0]  # layers, heads, tokens, tokens
        given.append(weights[:, :, reading.rest :, :].mean(dim=2).sum(dim=(0, 1)))
    model.set_attn_implementation("sdpa")
    scores = []
    for start, end in reading.spans:
        calibrated = given[0][start:end] - given[1][start:end]
        kept = calibrated > calibrated.mean() - 2 * calibrated.std()
        scores.append(float(calibrated[kept].sum()))
    return scores


def test_scores_equal_those_of_complete_forward_passes(folder):
    system = load(folder)
    passages = ["sort an array", "the shortest path of a graph", "draw samples", "plot a line"]
    scores, tokens = system.reader.scores("shortest path", passages)
    assert scores == pytest.approx(in_one_piece(system, "shortest path", passages), abs=1e-5)
    full = system.reader.reading("shortest path", passages)
    neutral = system.reader.reading("N/A", passages)
    assert tokens == len(full.ids) + len(neutral.ids) - neutral.rest


def test_spans_cover_exactly_the_passages(folder):
    reader = load(folder).reader
    passages = ["sort an array", "path [2] of a graph\n\n[3] twice", "path"]
    reading = reader.reading("path", passages)
    for place, (passage, (start, end)) in enumerate(zip(passages, reading.spans, strict=True), 1):
        text = reader.llm.tokenizer.decode(reading.ids[start:end])
        assert text == f"[{place}] {passage}"
    rest = reader.llm.tokenizer.decode(reading.ids[reading.rest :])
    assert rest.startswith("Please find information")
    assert "Query: path" in rest


def test_two_calls_per_list_of_any_length(folder):
    system = load(folder, words=6)
    batch = requests([0, 1, 2, 12])
    together = system.rerank_many(batch)
    assert [r.usage.model_calls for r in together] == [0, 0, 2, 2]
    for (query, listed), ranking in zip(batch, together, strict=True):
        assert sorted(ranking.passage_ids) == sorted(c.passage.id for c in listed)
        assert ranking.usage.generated_tokens == 0
        assert system.rerank(query, listed).passage_ids == ranking.passage_ids
    reverse = load(folder, words=6, reverse=True)
    passages = [f"passage {n} of five" for n in range(5)]
    turned = in_one_piece(reverse, "shortest path", passages[::-1])[::-1]
    assert reverse.reader.scores("shortest path", passages)[0] == pytest.approx(turned, abs=1e-5)
    windows = load(folder, words=6, window={"size": 4, "step": 2})
    assert windows.rerank(*batch[3]).usage.model_calls == 2 * 5


def test_a_list_is_cut_until_it_fits_and_the_cuts_are_counted(folder):
    system = load(folder, words=5000)
    ((query, listed),) = requests([3])
    passage = Passage("long", "word " * 3000)
    ranking = system.rerank(query, [*listed, Candidate(passage, -9.0)])
    assert ranking.usage.truncated_passages == 1
    assert ranking.usage.prompt_tokens < 2 * system.reader.llm.positions


def test_a_prompt_longer_than_the_model_is_refused(folder):
    system = load(folder, words=300)
    ((query, _listed),) = requests([2])
    with pytest.raises(ValueError, match="lower `words` or set a `window`"):
        system.reader.scores(query.text, ["word " * 300] * 20)
