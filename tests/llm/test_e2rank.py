import pytest
import torch

from baselines.e2rank.options import E2RankOptions
from baselines.e2rank.reranker import E2Rank
from resrank.model.encoder import Encoder
from resrank.model.options import EncoderOptions
from resrank.suite.library import library
from tests.llm.test_local import requests
from tests.shapes import END, save_causal


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    folder = save_causal(tmp_path_factory.mktemp("e2") / "m", "qwen3")
    encoder = {"model": folder, "pooling": "last", "end_token": END, "dtype": "float32",
               "max_tokens": 32}  # fmt: skip
    return E2Rank.load(E2RankOptions.model_validate({"encoder": encoder, "prompt_passages": 3}))


def test_cosine_of_passages_and_prompt(system):
    ((query, listed),) = requests([5])
    ids = system.prompt.ids(query.text, [c.passage.text for c in listed])
    text = system.encoder.tokenizer.decode(ids)
    for place, candidate in enumerate(listed, start=1):
        assert (f"[{place}] {candidate.passage.text}\n" in text) == (place <= 3)
    assert text.endswith(f"Search Query: {query.text}<assistant>")
    with torch.inference_mode():
        state = system.encoder.model(input_ids=torch.tensor([ids])).last_hidden_state[0, -1]
    passages = system.encoder.embed([c.passage.text for c in listed])
    wanted = (passages @ torch.nn.functional.normalize(state, dim=-1)).tolist()
    ranking = system.rerank(query, listed)
    scores = dict(zip(ranking.passage_ids, ranking.scores, strict=True))
    assert [scores[c.passage.id] for c in listed] == pytest.approx(wanted, abs=1e-5)
    usage = ranking.usage
    assert (usage.model_calls, usage.generated_tokens, usage.prompt_tokens) == (1, 0, len(ids))


def test_the_end_token_is_never_cut(system):
    encoder = system.encoder
    end = encoder.tokenizer.convert_tokens_to_ids(END)
    rows = encoder.tokenize(["short", "long " * 100])
    assert [row[-1] for row in rows.ids] == [end, end]
    assert len(rows.ids[1]) == 32
    assert rows.truncated == [False, True]


def test_passages_are_cut_to_words_as_the_authors_do(system):
    """The limit is in words; a query and a prompt keep theirs."""
    options = system.encoder.options.model_copy(update={"max_words": 3, "max_tokens": 512})
    encoder = Encoder(system.encoder.model, system.encoder.tokenizer, options)
    rows = encoder.tokenize(["one two  three", "one two three four"])
    assert rows.truncated == [False, True]
    assert rows.ids[1] == encoder.tokenize(["one two three"]).ids[0]
    assert encoder.tokenize(["one two three four"], query=True).truncated == [False]
    assert encoder.fingerprint() != system.encoder.fingerprint()
    shipped = library().systems["e2rank_0_6b"].typed_options
    assert (shipped.encoder.max_words, shipped.words) == (1024, 1024)


def test_names_of_stores_without_a_limit_in_words_stay():
    assert "max_words" not in EncoderOptions().model_dump()
    assert EncoderOptions(max_words=9).model_dump()["max_words"] == 9


def test_stored_passages_and_batches_change_nothing(system, tmp_path):
    batch = requests([0, 1, 8, 20])
    online = system.rerank_many(batch)
    system.prepare((c.passage for _, listed in batch for c in listed), tmp_path)
    stored = system.rerank_many(batch)
    for one, other, request in zip(online, stored, batch, strict=True):
        assert one.passage_ids == other.passage_ids == system.rerank(*request).passage_ids
        assert other.usage.cached_encoder_tokens == one.usage.passage_encoder_tokens
    system.forget()


def test_a_prompt_beyond_the_positions_is_refused(system):
    with pytest.raises(ValueError, match="lower `words` or `prompt_passages`"):
        system.prompt.ids("word " * 5000, ["sort", "path"])
