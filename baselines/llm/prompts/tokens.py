"""Convert prompts to token ids with the model's chat template and start token."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from baselines.llm.chat import chat_text
from baselines.llm.interface import Prompt
from baselines.llm.options import TransformersOptions


class PromptTokens(ABC):
    """A model in this process, as far as it converts prompts to token ids."""

    tokenizer: Any
    options: TransformersOptions

    @property
    @abstractmethod
    def positions(self) -> int:
        """Return the model's input limit in tokens, prompt and answer together."""

    def count(self, prompt: Prompt) -> int:
        """Return the number of a prompt's tokens."""
        return len(self._ids(prompt, ""))

    def tokenize(self, prompts: Sequence[Prompt], opening: str = "") -> list[list[int]]:
        """Return each prompt's token ids: of its chat text, or of a `text` prompt unchanged.

        opening: the beginning of the answer, tokenised together with the prompt.
        """
        return [self._ids(prompt, opening) for prompt in prompts]

    def token_after(self, before: str, text: str) -> int:
        """Return the one token of `text` directly after `before`.

        By itself a text may get another token than within a line (Llama's has a space in front).
        ValueError if the tokenizer does not make exactly one token of it.
        """
        head = self.tokenizer(before, add_special_tokens=False, verbose=False)["input_ids"]
        whole = self.tokenizer(before + text, add_special_tokens=False, verbose=False)["input_ids"]
        if whole[:-1] != head:
            raise ValueError(
                f"{self.options.model}: its tokenizer does not encode {text!r} after {before!r} as "
                "one separate token; scoring by one token needs it"
            )
        return int(whole[-1])

    def _ids(self, prompt: Prompt, opening: str) -> list[int]:
        if prompt[0].role == "text":
            return self.with_offsets(prompt[0].content + opening)[0]
        return self.with_offsets(self.chat_text(prompt) + opening)[0]

    def chat_text(self, prompt: Prompt) -> str:
        """Return a prompt in the form of the model's chat template.

        ValueError if there is no template, or if it does not keep the turns' text (`chat_text`).
        """
        if not self.tokenizer.chat_template:
            raise ValueError(
                f"{self.options.model} has no chat template; use a prompt of role `text`, such as "
                "rankvicuna"
            )
        return chat_text(self.tokenizer, prompt, self.options.model, self.options.chat_options)

    def with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Return a chat text's token ids, and the (start, end) in the text of each."""
        encoded = self.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        ids, offsets = list(encoded["input_ids"]), list(encoded["offset_mapping"])
        first = self.tokenizer("")["input_ids"][:1]  # a start token that the template may lack
        if first and first[0] == self.tokenizer.bos_token_id and ids[:1] != first:
            return [*first, *ids], [(0, 0), *offsets]
        return ids, offsets
