"""Convert prompts to token ids with the model's chat template and start token."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from jinja2 import TemplateError

from baselines.llm.interface import Message, Prompt, without_system
from baselines.llm.options import TransformersOptions

TurnsForm = Callable[[Prompt], list[dict[str, Any]]]
"""Returns a prompt as the turns that a chat template reads."""


def _plain(prompt: Prompt) -> list[dict[str, Any]]:
    return [message._asdict() for message in prompt]


def _in_parts(prompt: Prompt) -> list[dict[str, Any]]:
    """Return turns whose content is a list of parts, as templates of models for images read it."""
    return [{"role": m.role, "content": [{"type": "text", "text": m.content}]} for m in prompt]


FORMS: list[TurnsForm] = [
    _plain,
    lambda prompt: _plain(without_system(prompt)),
    _in_parts,
    lambda prompt: _in_parts(without_system(prompt)),
]
"""In the order in which they are tried; the second and the fourth are for a system turn."""


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

        If the template refuses a system turn (as Mistral's and Gemma's do) or leaves it out, that
        turn's text opens the first user turn. ValueError if there is no template, if it refuses the
        prompt for another reason, or if it leaves out the turns' text.
        """
        if not self.tokenizer.chat_template:
            raise ValueError(
                f"{self.options.model} has no chat template; use a prompt of role `text`, such as "
                "rankvicuna"
            )
        return self._templated(self._form([message.role for message in prompt])(prompt))

    def _form(self, roles: Sequence[str]) -> TurnsForm:
        """Return the first form of turns with these roles whose texts the template keeps."""
        probe = tuple(Message(role, f"text{place}") for place, role in enumerate(roles))
        refusals: list[Exception] = []
        forms = FORMS if roles[0] == "system" else FORMS[::2]
        for form in forms:
            try:
                text = self._templated(form(probe))
            except (TemplateError, TypeError) as error:  # TypeError: a list joined with a text
                refusals.append(error)
                continue
            if all(message.content in text for message in probe):
                return form
        if len(refusals) == len(forms):
            raise ValueError(
                f"{self.options.model}: its chat template refuses turns of {', '.join(roles)}: "
                f"{refusals[0]}"
            ) from refusals[0]
        raise ValueError(
            f"{self.options.model}: its chat template leaves out the text of turns of "
            f"{', '.join(roles)}; use a prompt of role `text`, such as rankvicuna, or another model"
        )

    def _templated(self, turns: list[dict[str, Any]]) -> str:
        text: str = self.tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, tokenize=False, **self.options.chat_options
        )
        return text

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
