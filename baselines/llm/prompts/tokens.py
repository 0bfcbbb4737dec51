"""Prompts as a model's token ids: its chat template, its start token, single tokens in a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError

from baselines.llm.options import TransformersOptions
from baselines.llm.prompts.template import Message, Prompt


class PromptTokens:
    """What a language model in this process makes of a prompt before it reads it."""

    tokenizer: Any
    options: TransformersOptions

    def count(self, prompt: Prompt) -> int:
        """Tokens of a prompt."""
        return len(self._ids(prompt, ""))

    def tokenize(self, prompts: Sequence[Prompt], opening: str = "") -> list[list[int]]:
        """Token ids as the model's chat template makes them, or of the text as it stands.

        opening: how the answer begins, tokenised together with the prompt.
        """
        return [self._ids(prompt, opening) for prompt in prompts]

    def token_behind(self, before: str, text: str) -> int:
        """The one token of `text` as it stands behind `before`; ValueError if it is not one.

        By itself a text may get another token than within a line (Llama's has a space in front).
        """
        head = self.tokenizer(before, add_special_tokens=False, verbose=False)["input_ids"]
        whole = self.tokenizer(before + text, add_special_tokens=False, verbose=False)["input_ids"]
        if whole[:-1] != head:
            raise ValueError(
                f"{self.options.model}: its tokenizer makes no token of its own of {text!r} behind "
                f"{before!r}; a model that is scored by one token needs one"
            )
        return int(whole[-1])

    def _ids(self, prompt: Prompt, opening: str) -> list[int]:
        if prompt[0].role == "text":
            return self.with_offsets(prompt[0].content + opening)[0]
        return self.with_offsets(self.chat_text(prompt) + opening)[0]

    def chat_text(self, prompt: Prompt) -> str:
        """A prompt as the model's chat template writes it.

        Where the template refuses a system turn (Mistral's, Gemma's), that turn's text opens the
        first user turn. ValueError if there is no template, or it refuses the prompt for another
        reason.
        """
        if not self.tokenizer.chat_template:
            raise ValueError(
                f"{self.options.model} has no chat template; use a prompt of role `text`, such as "
                "rankvicuna"
            )
        try:
            try:
                return self._templated(prompt)
            except TemplateError:
                if prompt[0].role != "system":
                    raise
                return self._templated(without_system(prompt))
        except TemplateError as error:
            roles = ", ".join(message.role for message in prompt)
            raise ValueError(
                f"{self.options.model}: its chat template refuses turns of {roles}: {error}"
            ) from error

    def _templated(self, prompt: Prompt) -> str:
        text: str = self.tokenizer.apply_chat_template(
            [message._asdict() for message in prompt], add_generation_prompt=True, tokenize=False,
            **self.options.chat_options,
        )  # fmt: skip
        return text

    def with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Token ids of a chat text, and the (start, end) in it that each stands for."""
        found = self.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        ids, offsets = list(found["input_ids"]), list(found["offset_mapping"])
        first = self.tokenizer("")["input_ids"][:1]  # a start token that the template may lack
        if first and first[0] == self.tokenizer.bos_token_id and ids[:1] != first:
            return [*first, *ids], [(0, 0), *offsets]
        return ids, offsets


def without_system(prompt: Prompt) -> Prompt:
    """The same with the system turn's text in front of the first user turn's."""
    system, first, *rest = prompt
    return (Message("user", f"{system.content}\n{first.content}"), *rest)
