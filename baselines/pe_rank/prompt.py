"""PE-Rank's prompt: the text around the slots that passages are fed into (arXiv 2406.14848)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baselines.llm.chat import chat_text
from baselines.llm.interface import Message
from baselines.pe_rank.options import PERankOptions

SLOT = "\ue000"  # from a private use area, so it occurs in no text
OPENING = (
    "I will provide you with {num} passages, each with a special token representing the passage "
    "enclosed in []{with_text}.\nRank the passages based on their relevance to the search query: "
    "{query}.\n"
)
CLOSING = (
    "Search Query: {query}.\nRank the {num} relatively ordered passages above based on their "
    "relevance to the search query, output the ranking in descending order. Only output the {num} "
    "unique special token in the ranking.\n\n"
)


class SlotPrompt:
    """The authors' prompt in a chat template, or a plain one, as token ids around slots.

    positions: the most that the decoder can read.
    """

    def __init__(self, tokenizer: Any, positions: int, options: PERankOptions) -> None:
        self.tokenizer = tokenizer
        self.positions = positions
        self.options = options

    def segments(
        self, query: str, passages: int, texts: Sequence[str] | None = None
    ) -> list[list[int]]:
        """Return the token ids around the passages' slots, one list more than passages.

        texts: the passages' texts, each after its slot. A long query loses its end.
        """
        o = self.options
        query = self._cut(query, o.max_query_tokens)
        after = [f" {text}" for text in texts] if texts else [""] * passages
        if not o.chat:
            first = self._ids(o.instruction) + self._ids(query)
            last = self._ids(after[-1]) + self._ids(o.closing)
            return [first, *map(self._ids, after[:-1]), last]
        listed = "".join(f"Passage {n}: [{SLOT}]{t}\n\n" for n, t in enumerate(after, start=1))
        with_text = ", followed by original text" if texts else ""
        opening = OPENING.format(num=passages, query=query, with_text=with_text)
        content = opening + listed + CLOSING.format(num=passages, query=query)
        return list(map(self._ids, self._chat(content).split(SLOT)))

    def _chat(self, content: str) -> str:
        if not self.tokenizer.chat_template:
            raise ValueError(
                f"{self.options.reranker} has no chat template, which the authors' prompt needs; "
                "set `chat: false` for a plain one"
            )
        return chat_text(self.tokenizer, (Message("user", content),), self.options.reranker, {})

    def _ids(self, text: str) -> list[int]:
        if not text:  # between the slots of a plain prompt
            return []
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def _cut(self, text: str, tokens: int) -> str:
        """Return a text's first tokens, without the sign that marks slots."""
        text = text.replace(SLOT, "")
        offsets = self.tokenizer(
            text,
            add_special_tokens=False,
            truncation=True,
            max_length=tokens,
            return_offsets_mapping=True,
        )["offset_mapping"]
        return text[: offsets[-1][1]] if offsets else ""

    def fitting(self, query: str, texts: Sequence[str], tokens: int) -> list[str]:
        """Return the passages' texts, cut to so many tokens each, or to fewer so that they fit.

        Raises ValueError if not even one token of each fits the decoder.
        """
        around = sum(map(len, self.segments(query, len(texts), ["x"] * len(texts))))
        space = (self.positions - around - 2 * len(texts)) // len(texts)
        if space < 1:
            raise ValueError(
                f"the texts of {len(texts)} passages do not fit the decoder's "
                f"{self.positions} positions; use a smaller `list_length`"
            )
        return [self._cut(text, min(tokens, space)) for text in texts]
