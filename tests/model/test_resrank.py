import logging
import shutil

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from resrank.io.manifest import read_checked_json, write_checked_json
from resrank.model.encoder import Encoder
from resrank.model.hub import ModelNotFound, locate
from resrank.model.options import EncoderOptions, ResRankOptions, ScratchDecoder, TwoModels
from resrank.model.reranker_lm import RerankerLM
from resrank.model.resrank import Lists, ResRank
from resrank.windows import Window


@pytest.fixture(scope="module")
def model(resrank_options):
    torch.manual_seed(0)
    return ResRank.from_options(resrank_options).eval()


def lists_of(model, sizes):
    generator = torch.Generator().manual_seed(1)
    blocks = [torch.randn(n, 384, generator=generator) for n in sizes]
    prompts = [model.query_tokens("word " * (i + 1))[0] for i in range(len(sizes))]
    return prompts, blocks


@pytest.fixture(params=["right", "left"])
def padded(request, model):
    before = model.options
    model.options = before.model_copy(update={"padding_side": request.param})
    yield model
    model.options = before


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from([0, 1, 2, 7, 30, 100]), min_size=1, max_size=5))
@example([1000, 1])
def test_scores_do_not_depend_on_the_batch(padded, sizes):
    prompts, blocks = lists_of(padded, sizes)
    with torch.inference_mode():
        together = padded(Lists(prompts, None, blocks))
        alone = [padded(Lists([p], None, [b]))[0] for p, b in zip(prompts, blocks, strict=True)]
    for one, other, size in zip(together, alone, sizes, strict=True):
        assert one.shape == (size,)
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_one_slot_a_passage_and_no_token_generated(model):
    seen = []
    hook = model.reranker.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape))
    prompts, blocks = lists_of(model, [20])
    model(Lists(prompts, None, blocks))
    hook.remove()
    assert seen == [(1, len(prompts[0]) + 20 + 1, 384)]


def test_every_passage_state_sees_the_query_and_the_closing_state_sees_all(model):
    prompts, blocks = lists_of(model, [3])
    changed = blocks[0].clone()
    changed[2] = -changed[2]
    with torch.inference_mode():
        first = model(Lists(prompts, None, blocks))[0]
        assert (model(Lists([prompts[0][:-1]], None, blocks))[0] != first).all()
        assert (model(Lists(prompts, None, [changed]))[0] != first).all()


def test_residual_weight_moves_the_score_towards_the_cosine(encoder_options):
    torch.manual_seed(0)
    heavy = ResRank.from_options(
        ResRankOptions(
            encoder=encoder_options, reranker=ScratchDecoder(layers=1, heads=2),
            residual_weight=1e4, query_slot=True,
        )
    ).eval()  # fmt: skip
    texts = ["sort an array", "draw a histogram", "invert a matrix"]
    embeddings = heavy.compress(texts)
    wanted = embeddings @ heavy.embed_query("sorting arrays")
    torch.testing.assert_close(heavy.score("sorting arrays", embeddings), wanted, atol=1e-3, rtol=0)
    assert heavy.rerank("sorting arrays", texts)[0][0] == 0
    assert heavy.rerank("sorting arrays", []) == []


def test_codes_of_places_fall_away_from_the_query_and_are_learned(encoder_options):
    torch.manual_seed(0)
    options = ResRankOptions(
        encoder=encoder_options, reranker=ScratchDecoder(layers=1, heads=2, output_scale=1e-6),
        query_slot=True, place_encoding=True, residual_weight=1e4,
    )  # fmt: skip
    placed = ResRank.from_options(options).eval()
    same = placed.compress(["one text"] * 50)
    scores = placed.score("a query", same)
    assert scores.argmax() == 0
    assert scores[:5].mean() > scores[5:20].mean() > scores[30:].mean()
    assert placed.place_scale.requires_grad


def test_saved_and_loaded(model, tmp_path):
    model.save_pretrained(tmp_path / "m", encoder_trained=False, seed=3)
    loaded = ResRank.from_pretrained(tmp_path / "m")
    embeddings = model.compress(["sort an array", "draw a histogram"])
    assert torch.equal(loaded.score("x", embeddings), model.score("x", embeddings))
    with pytest.raises(ValueError, match="holds no ResRank model"):
        ResRank.from_pretrained(tmp_path)


def test_widths_that_differ_need_a_projector(encoder_options):
    shape = ScratchDecoder(layers=1, hidden=64, heads=2)
    with pytest.raises(ValueError, match="384 dimensions.*64.*projector"):
        ResRank.from_options(ResRankOptions(encoder=encoder_options, reranker=shape))
    options = ResRankOptions(encoder=encoder_options, reranker=shape, projector=True)
    assert ResRank.from_options(options).score("x", torch.randn(2, 384)).shape == (2,)


def test_token_embeddings_borrowed_from_the_encoder(encoder_options):
    shape = ScratchDecoder(layers=1, token_embeddings="encoder")
    encoder = Encoder.from_options(encoder_options)
    lm = RerankerLM.from_options(TwoModels(encoder=encoder_options, reranker=shape), encoder)
    mine, theirs = (m.model.get_input_embeddings().weight for m in (lm, encoder))
    assert mine.std().item() == pytest.approx(1, abs=1e-3)
    assert torch.allclose(mine * theirs.std(), theirs, atol=1e-6)
    narrow = TwoModels(reranker=ScratchDecoder(hidden=64, heads=2, token_embeddings="encoder"))
    with pytest.raises(ValueError, match="set `hidden` to 384"):
        RerankerLM.from_options(narrow, encoder)


def test_too_many_passages(model):
    with pytest.raises(ValueError, match="5000 passages .* positions"):
        model.score("x", torch.randn(5000, 384))


def test_only_the_texts_end_is_cut():
    options = EncoderOptions(max_tokens=12, query_instruction="find this: ", dtype="float32")
    encoder = Encoder.from_options(options)
    tokens = encoder.tokenize(["word " * 50, "short"], query=True)
    assert tokens.truncated == [True, False]
    assert len(tokens.ids[0]) == 12
    assert encoder.tokenizer.decode(tokens.ids[0]).startswith("[CLS] find this")
    bad = EncoderOptions(max_tokens=8, query_instruction="a very long instruction indeed, truly")
    with pytest.raises(ValueError, match="fills max_tokens=8"):
        Encoder.from_options(bad).tokenize(["x"], query=True)


def test_long_texts_are_cut_without_a_warning(model, caplog):
    caplog.set_level("WARNING", "transformers")
    logger = logging.getLogger("transformers")
    logger.addHandler(caplog.handler)
    try:
        assert model.query_tokens("word " * 2000)[1]
        assert model.encoder.tokenize(["word " * 2000]).truncated == [True]
    finally:
        logger.removeHandler(caplog.handler)
    assert "sequence length is longer" not in caplog.text


def test_encoder_equals_sentence_transformers(encoder_options):
    from sentence_transformers import SentenceTransformer

    texts = ["sort an array", "", "a much longer text about matrices " * 20]
    embeddings = Encoder.from_options(encoder_options).embed(texts)
    theirs = SentenceTransformer(str(locate(encoder_options.model)), device="cpu").encode(texts)
    torch.testing.assert_close(embeddings, torch.tensor(theirs), atol=1e-5, rtol=0)


def test_a_model_that_cannot_be_had_says_how_to_get_it(monkeypatch):
    with pytest.raises(ModelNotFound, match="hf download nobody/nothing"):
        locate("nobody/nothing")


def test_windows_slide_over_what_is_reranked(model):
    window = {"window": Window(size=2, step=1)}
    slid = ResRank(model.encoder, model.reranker, model.options.model_copy(update=window)).eval()
    texts = ["sort an array", "draw a histogram", "find a path", "invert a matrix"]
    order = [0, 1, 2, 3]
    for start in (2, 1, 0):
        pair = order[start : start + 2]
        scores = model.score("graph", model.compress([texts[i] for i in pair]))
        order[start : start + 2] = [pair[i] for i in torch.argsort(-scores, stable=True)]
    assert [place for place, _ in slid.rerank("graph", texts)] == order
    assert slid.rerank("graph", []) == []
    assert len(slid.rerank("graph", texts[:1])) == 1


def test_an_encoder_is_no_reranker(encoder_options):
    options = ResRankOptions(encoder=encoder_options, reranker=encoder_options.model)
    with pytest.raises(ValueError, match=r"bert.* is no causal decoder"):
        ResRank.from_options(options)


@pytest.mark.parametrize(
    ("embeddings", "message"),
    [(torch.zeros(3, 100), r"\(n, 384\).*shape \(3, 100\)"), (torch.zeros(384), r"shape \(384,\)"),
     ([[0.0]], "list"), (["a text"], "texts themselves go to `rerank`"), (torch.zeros(3, 384, dtype=torch.int8), "float tensor"),
     (torch.full((1, 384), torch.nan), "not finite")],
)  # fmt: skip
def test_embeddings_that_are_none_are_refused(model, embeddings, message):
    with pytest.raises(ValueError, match=message):
        model.score("x", embeddings)


def test_what_is_no_text_is_refused(model):
    with pytest.raises(TypeError, match="passages: a list of texts is needed, 'sort'"):
        model.rerank("x", "sort")
    with pytest.raises(TypeError, match="passages"):
        model.compress(["sort", None])
    with pytest.raises(TypeError, match="query: a text is needed, None"):
        model.score(None, torch.zeros(1, 384))
    with pytest.raises(ValueError, match="hidden 384 does not divide into 7 heads"):
        ScratchDecoder(heads=7)


def test_a_model_of_another_format_is_refused(model, tmp_path):
    model.save_pretrained(str(tmp_path / "m"))
    about = tmp_path / "m" / "resrank.json"
    write_checked_json(about, read_checked_json(about) | {"format": 9})
    with pytest.raises(ValueError, match="saved in format 9, this version reads 1"):
        ResRank.from_pretrained(tmp_path / "m")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda m: (m / "resrank.json").write_text('{"format": 1, "opt'),
            "resrank.json is damaged",
        ),
        (lambda m: (m / "resrank.json").write_text('{"format": 1}'), "has no encoder, options"),
        (
            lambda m: (m / "extra.safetensors").unlink(),
            "extra.safetensors is damaged .it is missing",
        ),
        (lambda m: shutil.rmtree(m / "reranker"), "its reranker/ lacks weights"),
        (lambda m: cut(m / "reranker" / "model.safetensors"), "model.safetensors is damaged"),
    ],
)
def test_a_damaged_model_is_refused_by_the_file_that_is_wrong(model, tmp_path, damage, message):
    model.save_pretrained(tmp_path / "m", encoder_trained=False)
    damage(tmp_path / "m")
    with pytest.raises(ValueError, match=f"{message}.*copy the folder again, or train again"):
        ResRank.from_pretrained(tmp_path / "m")


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def test_a_device_that_is_not_here_is_refused(encoder_options):
    with pytest.raises(ValueError, match="'gpu' is none that torch knows; use 'auto', 'cpu'"):
        Encoder.from_options(encoder_options.model_copy(update={"device": "gpu"}))
    with pytest.raises(ValueError, match="'cuda:99' is asked for, but torch .* sees"):
        Encoder.from_options(encoder_options.model_copy(update={"device": "cuda:99"}))


def test_a_suites_name_for_a_model_is_refused_outside_of_a_suite():
    with pytest.raises(ModelNotFound, match=r"results/<suite>/models/tuned/seed1"):
        locate("trained:tuned")


def test_embeddings_of_bfloat16_weights_have_unit_length(encoder_options):
    encoder = Encoder.from_options(encoder_options.model_copy(update={"dtype": "bfloat16"}))
    lengths = encoder.embed(["sort an array", "draw a histogram of values"]).norm(dim=-1)
    torch.testing.assert_close(lengths, torch.ones(2), atol=1e-6, rtol=0)
