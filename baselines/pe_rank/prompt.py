"""PE-Rank's prompt: what stands around the slots that passages are fed into (arXiv 2406.14848)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from baselines.pe_rank.reranker import PERank

SLOT = "\ue000"  # of a private use area: stands in no text
OPENING = (
    "I will provide you with {num} passages, each with a special token representing the passage "
    "enclosed in []{said}.\nRank the passages based on their relevance to the search query: "
    "{query}.\n"
)
CLOSING = (
    "Search Query: {query}.\nRank the {num} relatively ordered passages above based on their "
    "relevance to the search query, output the ranking in descending order. Only output the {num} "
    "unique special token in the ranking.\n\n"
)


class Prompt:
    """The authors' prompt in a chat template, or a plain one, as token ids around slots.

    positions: that the decoder reads at most.
    """

    def __init__(self, tokenizer: Any, positions: int, options: PERank.Options) -> None:
        self.tokenizer = tokenizer
        self.positions = positions
        self.options = options

    def segments(
        self, query: str, passages: int, texts: Sequence[str] | None = None
    ) -> list[list[int]]:
        """Token ids around the passages' slots, one list more than passages.

        texts: of the passages, each shown behind its slot. A long query loses its end.
        """
        o = self.options
        asked = self._cut(query, o.max_query_tokens)
        shown = [f" {text}" for text in texts] if texts else [""] * passages
        if not o.chat:
            return [self._ids(o.instruction) + self._ids(asked), *map(self._ids, shown[:-1]),
                    self._ids(shown[-1]) + self._ids(o.closing)]  # fmt: skip
        listed = "".join(f"Passage {n}: [{SLOT}]{t}\n\n" for n, t in enumerate(shown, start=1))
        said = ", followed by original text" if texts else ""
        opening = OPENING.format(num=passages, query=asked, said=said)
        content = opening + listed + CLOSING.format(num=passages, query=asked)
        return list(map(self._ids, self._chat(content).split(SLOT)))

    def _chat(self, content: str) -> str:
        if not self.tokenizer.chat_template:
            raise ValueError(
                f"{self.options.reranker} has no chat template, which the authors' prompt needs; "
                "set `chat: false` for a plain one"
            )
        text: str = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        return text

    def _ids(self, text: str) -> list[int]:
        if not text:  # as between the slots of a plain prompt
            return []
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def _cut(self, text: str, tokens: int) -> str:
        """A text without what is behind its first tokens, and without the slots' own sign."""
        text = text.replace(SLOT, "")
        offsets = self.tokenizer(
            text, add_special_tokens=False, truncation=True, max_length=tokens,
            return_offsets_mapping=True,
        )["offset_mapping"]  # fmt: skip
        return text[: offsets[-1][1]] if offsets else ""

    def fitting(self, query: str, texts: Sequence[str], tokens: int) -> list[str]:
        """The passages' texts, cut to so many tokens each, or to fewer where they do not fit."""
        around = sum(map(len, self.segments(query, len(texts), ["x"] * len(texts))))
        room = (self.positions - around - 2 * len(texts)) // len(texts)
        if room < 1:
            raise ValueError(
                f"the texts of {len(texts)} passages do not fit the decoder's "
                f"{self.positions} positions; use a smaller `list_length`"
            )
        return [self._cut(text, min(tokens, room)) for text in texts]
