"""E2Rank's listwise prompt (arXiv 2510.22733, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence

from baselines.e2rank.options import E2RankOptions
from baselines.llm.chat import chat_text
from baselines.llm.interface import Message
from baselines.llm.word_limit import first_words
from resrank.model.encoder import Encoder, positions_of
from resrank.model.options import told


class ListwisePrompt:
    """Builds the prompt that is embedded in the query's place."""

    def __init__(self, encoder: Encoder, options: E2RankOptions) -> None:
        self.tokenizer = encoder.tokenizer
        self.positions = positions_of(encoder.model)
        self.options = options

    def ids(self, query: str, passages: Sequence[str], instruction: str = "") -> list[int]:
        """Return the prompt's token ids.

        instruction: of the query's collection, where `task` leaves `{instruction}` open. Raises
        ValueError if the prompt has more tokens than the encoder has positions.
        """
        o, task = self.options, told(self.options.task, instruction)
        texts = [first_words(text, o.words) for text in passages[: o.prompt_passages]]
        listed = "\n".join(f"[{place}] {text}" for place, text in enumerate(texts, start=1))
        prompt = f"{task}\nDocuments:\n{listed}\nSearch Query: {query}"
        if o.chat:
            turns = (Message("user", prompt),)
            prompt = chat_text(self.tokenizer, turns, o.encoder.model, {"enable_thinking": False})
        encoded = self.tokenizer(prompt, add_special_tokens=not o.chat, verbose=False)
        ids = list(encoded["input_ids"])
        if self.positions is not None and len(ids) > self.positions:
            raise ValueError(
                f"a prompt of {len(texts)} passages has {len(ids)} tokens, the encoder "
                f"{self.positions} positions; lower `words` or `prompt_passages`"
            )
        return ids
