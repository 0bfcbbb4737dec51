"""Read a published tokenizer's file into a tokenizer of transformers."""

from __future__ import annotations

import base64
import binascii
from functools import cache
from pathlib import Path
from typing import Any

from resrank.model.tokenizer_library import PublishedTokenizer


def read_tokenizer(entry: PublishedTokenizer, file: Path) -> Any:
    """Return the tokenizer of a file, without its added tokens and its chat template.

    Raises ValueError if the file has another form.
    """
    readers = {"bpe_ranks": _from_ranks, "sentencepiece": _from_sentencepiece}
    try:
        return readers[entry.format](file)
    except (ValueError, binascii.Error, _decode_error()) as error:
        raise ValueError(f"{file} is no file of the form {entry.format!r}: {error}") from error


def _decode_error() -> type[Exception]:
    """Return protobuf's error for content of another form."""
    from google.protobuf.message import DecodeError

    error: type[Exception] = DecodeError
    return error


def _from_ranks(file: Path) -> Any:
    """Read lines of a token in base64 and its rank, as tiktoken writes them.

    Pre-tokenisation and normalisation are Qwen2's and Qwen3's, which transformers has.
    """
    from transformers import Qwen2Tokenizer

    vocabulary, merges = _vocabulary_and_merges(file)
    return Qwen2Tokenizer(vocab=vocabulary, merges=merges, unk_token=None)


@cache
def _vocabulary_and_merges(file: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Return ids by token and the merges, with bytes written as characters, as in GPT-2."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    lines = (line.split() for line in file.read_bytes().splitlines() if line)
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    letters = bytes_to_unicode()

    def text(token: bytes) -> str:
        return "".join(letters[byte] for byte in token)

    tokens = sorted((token for token in ranks if len(token) > 1), key=lambda token: ranks[token])
    merges = [tuple(map(text, _last_merge(token, ranks))) for token in tokens]
    vocabulary = {text(token): rank for token, rank in ranks.items()}
    return vocabulary, [merge for merge in merges if len(merge) == 2]


def _last_merge(token: bytes, ranks: dict[bytes, int]) -> list[bytes]:
    """Return the two parts that a token is merged from: those that all merges before it leave.

    They are more than two if no merge makes the token.
    """
    parts = [token[place : place + 1] for place in range(len(token))]
    while True:
        pairs = (
            (ranks.get(parts[n] + parts[n + 1], ranks[token]), n) for n in range(len(parts) - 1)
        )
        rank, place = min(pairs)
        if rank >= ranks[token]:
            return parts
        parts[place : place + 2] = [parts[place] + parts[place + 1]]


def _from_sentencepiece(file: Path) -> Any:
    """Read a SentencePiece model of the kind BPE, as Llama's, or Unigram, as T5's.

    The merges of a BPE model follow the pieces' scores. transformers (5.23) itself orders them by
    id, and so merges spaces that SentencePiece leaves apart. One difference remains: a text that
    begins with a space gets a token less, as transformers' tokenizers of this form have it.
    """
    from sentencepiece import sentencepiece_model_pb2 as schema
    from transformers import LlamaTokenizer, T5Tokenizer
    from transformers.convert_slow_tokenizer import generate_merges

    model = schema.ModelProto()
    model.ParseFromString(file.read_bytes())
    kinds = schema.TrainerSpec
    if model.trainer_spec.model_type == kinds.UNIGRAM:
        pieces = [(piece.piece, piece.score) for piece in model.pieces]
        rules = model.normalizer_spec.precompiled_charsmap
        return T5Tokenizer(vocab=pieces, _spm_precompiled_charsmap=rules or None, extra_ids=0)
    if model.trainer_spec.model_type != kinds.BPE:
        raise ValueError("a SentencePiece model of neither kind, BPE or Unigram")
    vocabulary = {piece.piece: place for place, piece in enumerate(model.pieces)}
    normal = schema.ModelProto.SentencePiece.NORMAL
    scores = {piece.piece: piece.score for piece in model.pieces if piece.type == normal}
    merges = generate_merges(vocabulary, scores)
    return LlamaTokenizer(vocab=vocabulary, merges=merges, add_bos_token=True)
