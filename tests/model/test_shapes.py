"""ResRank over the architectures it is meant for, at tiny size and through the same code."""

import pytest
import torch

from resrank import ResRank
from resrank.model.encoder import Encoder
from resrank.model.options import EncoderOptions, ResRankOptions
from resrank.model.resrank import Lists
from tests.conftest import PASSAGES, ROOT
from tests.shapes import save_causal


@pytest.mark.parametrize("kind", ["qwen3", "llama", "mistral"])
def test_any_decoder_reranks_and_survives_saving(kind, tmp_path):
    encoder = save_causal(tmp_path / "encoder", "qwen3", ends=True)
    options = ResRankOptions(
        encoder=EncoderOptions(model=encoder, dtype="float32"),
        reranker=save_causal(tmp_path / kind, kind),
    )
    model = ResRank.from_options(options).eval()
    assert model.projector is None
    texts = list(PASSAGES.values())
    embeddings = model.compress(texts)
    assert embeddings.shape == (len(texts), 64)
    scores = model.score("sort an array", embeddings)
    prompts = [model.query_tokens(q)[0] for q in ("sort an array", "a graph of many nodes")]
    with torch.inference_mode():
        together = model(Lists(prompts, None, [embeddings, embeddings[:2]]))[0]
    torch.testing.assert_close(together, scores, atol=1e-5, rtol=0)
    assert len(set(scores.tolist())) == len(texts)
    model.save_pretrained(tmp_path / "saved", encoder_trained=True)
    again = ResRank.from_pretrained(tmp_path / "saved")
    torch.testing.assert_close(again.score("sort an array", embeddings), scores)


def test_a_decoder_embeds_by_its_last_token_and_cuts_only_the_text(tmp_path):
    folder = save_causal(tmp_path / "encoder", "qwen3", ends=True)
    options = EncoderOptions(
        model=folder, dtype="float32", query_instruction="Instruct: rank\nQuery:", max_tokens=40
    )
    encoder = Encoder.from_options(options)
    assert encoder.options.pooling == "last"
    tokens = encoder.tokenize(["array " * 100, "array"], query=True)
    assert tokens.truncated == [True, False]
    whole, instruction = (
        tokens.ids[0],
        encoder.tokenizer("Instruct: rank\nQuery:")["input_ids"][:-1],
    )
    assert len(whole) == 40
    assert whole[: len(instruction)] == instruction
    assert whole[-1] == encoder.tokenizer.pad_token_id  # the end token that is pooled stays
    together = encoder.embed(["sort an array", "graph"])
    torch.testing.assert_close(together[1], encoder.embed(["graph"])[0], atol=1e-5, rtol=0)


def test_the_launcher_files_are_accelerates():
    from accelerate.commands.config.config_args import load_config_from_file

    for name, kind in (("ddp", "MULTI_GPU"), ("fsdp", "FSDP")):
        config = load_config_from_file(str(ROOT / "config" / "accelerate" / f"{name}.yaml"))
        assert config.distributed_type == kind
