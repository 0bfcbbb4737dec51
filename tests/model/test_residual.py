"""The residual's formula, its effect at the paper's shape, and models saved before it had a scale."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModel

from resrank.io.manifest import read_checked_json, write_checked_json
from resrank.model.embedding_store import EmbeddingStore
from resrank.model.encoder import Encoder
from resrank.model.options import (
    CausalEncoder,
    EncoderOptions,
    ResRankOptions,
    ScratchDecoder,
)
from resrank.model.residual import Fed, ListStates, cosine_scores, residual_sum
from resrank.model.resrank import Lists, ResRank
from resrank.resrank_reranker import ResRankSystem
from resrank.training.state_measures import common_part, state_measures, vector_sums
from tests.conftest import PASSAGES
from tests.shapes import save_causal

SMALL = ScratchDecoder(layers=1, heads=2)
RAW = EncoderOptions(dtype="float32", normalize=False)
TEXTS = ["sort an array", "draw a histogram of values", "invert a matrix", "find a path"]


def vectors(count, width, seed, scale=1.0):
    return scale * torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def cosine(one, other):
    return (one * other).sum(-1) / (one.norm(dim=-1) * other.norm(dim=-1))


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["norm_matched", "as_fed", "raw", "none"]),
    st.floats(0, 4),
    st.integers(1, 6),
    st.integers(0, 999),
    st.booleans(),
)
def test_scores_follow_the_formula(residual, weight, count, seed, slot):
    h, e, closing, q = (
        vectors(n, 8, seed + i, 10.0**i) for i, n in enumerate([count, count, 1, 1])
    )
    states = ListStates(h, closing, Fed(e, 3 * e), Fed(q, 3 * q) if slot else None)

    def state(h, e):
        return {
            "norm_matched": h / h.norm(dim=-1, keepdim=True)
            + weight * e / e.norm(dim=-1, keepdim=True),
            "as_fed": h + weight * 3 * e,
            "raw": h + weight * e,
            "none": h,
        }[residual]

    wanted = cosine(state(h, e), state(closing, q) if slot else closing)
    torch.testing.assert_close(cosine_scores(states, residual, weight), wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("factors", [(100.0, 1.0), (1.0, 0.01)])
def test_only_the_norm_matched_residual_ignores_lengths(factors):
    h, e, closing = vectors(5, 8, 1), vectors(5, 8, 2), vectors(1, 8, 3)
    longer, shorter = (h * factors[0], e * factors[1])

    def scores(residual, h, e):
        return cosine_scores(ListStates(h, closing, Fed(e, e), None), residual, 1.0)

    for residual, equal in (("norm_matched", True), ("as_fed", False), ("raw", False)):
        before, after = scores(residual, h, e), scores(residual, longer, shorter)
        assert torch.allclose(before, after, atol=1e-5) == equal


def test_the_ratio_is_the_weight_where_norms_are_matched():
    h, e = vectors(5, 8, 1, 40.0), vectors(5, 8, 2)
    ratios = residual_sum(h, Fed(e, e), "norm_matched", 0.5).ratios
    torch.testing.assert_close(ratios, torch.full((5,), 0.5))
    assert residual_sum(h, Fed(e, e), "as_fed", 1.0).ratios.max() < 0.1
    assert residual_sum(h, Fed(e, e), "none", 1.0).ratios.max() == 0


@pytest.fixture(scope="module")
def paper_shape(tmp_path_factory):
    """The paper's models at 1/16 of their width, with lengths as pretrained models have them.

    Token embeddings have length 1, and the final norm has gains of about 1 to 3 with outliers.
    """
    options = ResRankOptions(
        encoder=EncoderOptions(
            model="random:Qwen/Qwen3-Embedding-4B@16", pooling="last", dtype="float32"
        ),
        reranker="random:Qwen/Qwen3-4B@16",
        query_slot=False,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESRANK_DATA", str(tmp_path_factory.mktemp("data")))
        model = ResRank.from_options(options).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        table = model.reranker.model.get_input_embeddings().weight
        table.div_(table.norm(dim=-1, keepdim=True).clamp(min=1e-6))
        gains = model.reranker.model.norm.weight
        gains.copy_(2 + 0.5 * torch.randn(gains.shape, generator=generator))
        gains[:2] = 10.0
    model.token_norm = model.reranker.token_norm()
    return model


def scored(model, **changes):
    before = model.options
    model.options = before.model_copy(update=changes)
    try:
        prompts = [model.query_tokens(text)[0] for text in ("sort numbers", "plot")]
        blocks = [vectors(30, model.encoder.width, seed) for seed in (1, 2)]
        with torch.inference_mode():
            states = model.states(Lists(prompts, None, blocks))
            measures = state_measures(
                states, model.options.residual, model.options.residual_weight, lambda t: t
            )
            return torch.stack([model.scores(listed) for listed in states]), measures
    finally:
        model.options = before


def tau(one, other):
    """Return Kendall's tau of two lists of scores."""
    signs = [torch.sign(row.unsqueeze(0) - row.unsqueeze(1)) for row in (one, other)]
    count = len(one)
    return float((signs[0] * signs[1]).sum() / (count * (count - 1)))


def test_at_the_papers_shape_only_a_matched_residual_has_an_effect(paper_shape):
    none, without = scored(paper_shape, residual="none")
    fed, small = scored(paper_shape, residual="as_fed")
    matched, measures = scored(paper_shape)
    assert without["residual_ratio"] == 0
    assert small["residual_ratio"] < 0.1
    assert 0.5 <= measures["residual_ratio"] <= 2
    for row in range(2):
        assert tau(none[row], fed[row]) > 0.97
        assert tau(none[row], matched[row]) < 0.93


def test_the_common_part_of_states():
    equal, mixed = torch.ones(5, 8), vectors(4000, 8, 1)
    assert common_part(vector_sums(equal)) == pytest.approx(1)
    assert common_part(vector_sums(mixed)) < 0.05
    shifted = mixed + 10.0
    wanted = shifted.mean(dim=0).norm() / shifted.norm(dim=-1).mean()
    assert common_part(vector_sums(shifted)) == pytest.approx(float(wanted), abs=1e-3)
    small = [common_part(vector_sums(part)) for part in shifted.split(4)]
    assert sum(small) / len(small) == pytest.approx(float(wanted), abs=2e-3)
    assert common_part(vector_sums(mixed[:1])) == 1


def test_raw_scales_need_the_encoders_lengths():
    for key in ("input_scale", "residual"):
        with pytest.raises(ValueError, match=rf"`{key}: raw` needs .* `encoder: {{normalize: fal"):
            ResRankOptions.model_validate({key: "raw"})
    assert ResRankOptions(encoder=RAW, input_scale="raw", residual="raw").residual == "raw"


def test_a_stored_embedding_keeps_its_length_and_has_a_key_of_its_own(tmp_path):
    raw = Encoder.from_options(RAW)
    unit = Encoder.from_options(RAW.model_copy(update={"normalize": True}))
    store = EmbeddingStore(tmp_path, raw)
    store.fill(TEXTS)
    assert store.folder != EmbeddingStore(tmp_path, unit).folder
    stored = torch.from_numpy(store.vectors(TEXTS))
    torch.testing.assert_close(stored, raw.embed(TEXTS), atol=1e-4, rtol=1e-4)
    assert (stored.norm(dim=-1) - 1).abs().min() > 0.1
    unit_vectors = torch.nn.functional.normalize(stored, dim=-1)
    torch.testing.assert_close(unit_vectors, unit.embed(TEXTS), atol=1e-5, rtol=0)


@pytest.mark.parametrize("residual", ["raw", "norm_matched", "as_fed"])
def test_cached_scores_of_raw_states_equal_scores_online(tmp_path, request_of, residual):
    options = ResRankOptions(encoder=RAW, reranker=SMALL, input_scale="raw", residual=residual)
    system = ResRankSystem.load(options)
    request = request_of("sort an array", list(PASSAGES)[:5])
    online = system.rerank(*request)
    system.prepare([c.passage for c in request[1]], tmp_path)
    cached = system.rerank(*request)
    assert cached.usage.cached_encoder_tokens > 0
    assert online.passage_ids == cached.passage_ids
    assert cached.scores == pytest.approx(online.scores, abs=1e-5)
    by_cosine = system.by_encoder([request])[0]
    assert max(by_cosine.scores) <= 1 + 1e-6


def test_the_old_name_of_the_input_scale_is_refused_with_the_new_one():
    with pytest.raises(ValueError, match="`embedding_scale` is now `input_scale`.*`residual: as_f"):
        ResRankOptions.model_validate({"embedding_scale": "unit"})


def saved_in_format_1(folder, model):
    """Save a model as the version before `residual` did."""
    model.save_pretrained(folder, encoder_trained=False)
    about = read_checked_json(folder / "resrank.json")
    options = about["options"]
    options["embedding_scale"] = options.pop("input_scale")
    del options["residual"], options["encoder"]["normalize"]
    write_checked_json(folder / "resrank.json", about | {"format": 1, "options": options})


def test_a_model_of_format_1_scores_as_it_did(tmp_path, encoder_options):
    options = ResRankOptions(
        encoder=encoder_options, reranker=SMALL, residual="as_fed", residual_weight=0.5
    )
    model = ResRank.from_options(options).eval()
    saved_in_format_1(tmp_path / "m", model)
    embeddings = model.compress(TEXTS)
    loaded = ResRank.from_pretrained(tmp_path / "m")
    assert loaded.options.residual == "as_fed"
    assert torch.equal(loaded.score("x", embeddings), model.score("x", embeddings))
    changed = options.model_copy(update={"residual": "norm_matched"})
    with pytest.raises(ValueError, match="was trained with `residual: as_fed`, the options have"):
        ResRank.from_pretrained(tmp_path / "m", options=changed)


def test_a_projector_at_its_own_length_of_format_1_is_refused(tmp_path, encoder_options):
    shape = ScratchDecoder(layers=1, hidden=512, heads=2)
    options = ResRankOptions(
        encoder=encoder_options, reranker=shape, projector=True, input_scale="unit"
    )
    saved_in_format_1(tmp_path / "m", ResRank.from_options(options))
    ResRank.from_pretrained(tmp_path / "m")
    about = read_checked_json(tmp_path / "m" / "resrank.json")
    raw = about["options"] | {"embedding_scale": "raw"}
    write_checked_json(tmp_path / "m" / "resrank.json", about | {"options": raw})
    with pytest.raises(ValueError, match="`embedding_scale: raw` and a projector, which this ver"):
        ResRank.from_pretrained(tmp_path / "m")


@pytest.fixture(scope="module")
def causal(encoder_options):
    options = ResRankOptions(encoder=encoder_options, reranker=CausalEncoder(layers=2))
    return ResRank.from_options(options).eval()


def test_a_causal_encoder_reads_its_familys_embeddings(causal, tmp_path):
    embeddings = causal.compress(TEXTS)
    assert causal.projector is None
    assert len(causal.reranker.model.encoder.layer) == 2
    scores = causal.score("sort", embeddings)
    assert scores.shape == (4,)
    causal.save_pretrained(tmp_path / "m", encoder_trained=False)
    loaded = ResRank.from_pretrained(tmp_path / "m")
    assert torch.equal(loaded.score("sort", embeddings), scores)
    names = {name for name, _ in loaded.reranker.model.named_parameters()}
    assert names == {name for name, _ in causal.reranker.model.named_parameters()}


def test_a_passage_in_a_causal_encoder_does_not_see_the_next(causal):
    prompt, (block,) = causal.query_tokens("sort")[0], [vectors(3, 384, 1)]
    changed = block.clone()
    changed[2] = -changed[2]
    with torch.inference_mode():
        before, after = (causal.states(Lists([prompt], None, [b]))[0] for b in (block, changed))
    torch.testing.assert_close(before.passages[:2], after.passages[:2])
    assert not torch.allclose(before.passages[2], after.passages[2], atol=1e-2)
    assert not torch.allclose(before.closing, after.closing, atol=1e-3)


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_causal_encoders_scores_do_not_depend_on_the_batch(causal, side):
    before = causal.options
    causal.options = before.model_copy(update={"padding_side": side})
    prompts = [causal.query_tokens("word " * count)[0] for count in (1, 9)]
    blocks = [vectors(n, 384, n) for n in (7, 2)]
    with torch.inference_mode():
        together = causal(Lists(prompts, None, blocks))
        alone = [causal(Lists([p], None, [b]))[0] for p, b in zip(prompts, blocks, strict=True)]
    causal.options = before
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_a_projector_starts_orthogonal_and_is_saved(encoder_options, tmp_path):
    shape = ScratchDecoder(layers=1, hidden=512, heads=2)
    options = ResRankOptions(encoder=encoder_options, reranker=shape, projector=True)
    model = ResRank.from_options(options).eval()
    weight = model.projector.weight
    assert weight.shape == (512, 384)
    torch.testing.assert_close(weight.T @ weight, torch.eye(384), atol=1e-5, rtol=0)
    embeddings = model.compress(TEXTS)
    model.save_pretrained(tmp_path / "m", encoder_trained=False)
    loaded = ResRank.from_pretrained(tmp_path / "m")
    assert torch.equal(loaded.score("sort", embeddings), model.score("sort", embeddings))


def test_an_instruction_with_a_suites_mark_is_refused_outside_of_a_suite():
    told = EncoderOptions(dtype="float32", query_instruction="Instruct: {instruction}\nQuery:")
    encoder = Encoder.from_options(told)
    assert encoder.embed(["a passage"]).shape == (1, 384)
    with pytest.raises(ValueError, match="which a suite replaces by the collection's `instr"):
        encoder.embed(["a query"], query=True)


def test_the_first_layers_of_a_decoder(encoder_options, tmp_path):
    whole = save_causal(tmp_path / "whole", "llama", hidden=512)
    options = ResRankOptions(
        encoder=encoder_options,
        reranker=whole,
        reranker_layers=1,
        projector=True,
    )
    model = ResRank.from_options(options).eval()
    decoder = AutoModel.from_pretrained(whole)
    assert len(model.reranker.model.layers) == 1
    for name, weight in model.reranker.model.layers[0].named_parameters():
        assert torch.equal(weight, decoder.layers[0].get_parameter(name))
    scores = model.score("sort", vectors(3, 384, 1))
    model.save_pretrained(tmp_path / "m", encoder_trained=False)
    loaded = ResRank.from_pretrained(tmp_path / "m")
    assert torch.equal(loaded.score("sort", vectors(3, 384, 1)), scores)
    with pytest.raises(ValueError, match="reranker_layers 2, but `reranker` is an encoder to make"):
        ResRankOptions(reranker=CausalEncoder(), reranker_layers=2)
