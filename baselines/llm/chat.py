"""Chat templates: the form of turns whose text a template keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2 import TemplateError

from baselines.llm.interface import Message, Prompt, without_system

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


def chat_text(tokenizer: Any, prompt: Prompt, model: object, options: Mapping[str, Any]) -> str:
    """Return a prompt as the tokenizer's chat template writes it.

    If the template refuses a system turn (as Mistral's and Gemma's do) or leaves it out, that
    turn's text opens the first user turn. A template that reads a list of parts gets one.

    model: its name, for messages. options: arguments of the template. ValueError if the template
    refuses the prompt for another reason, or leaves out the turns' text.
    """

    def templated(turns: list[dict[str, Any]]) -> str:
        text: str = tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, tokenize=False, **options
        )
        return text

    form = _form(templated, [message.role for message in prompt], model)
    return templated(form(prompt))


def _form(
    templated: Callable[[list[dict[str, Any]]], str], roles: Sequence[str], model: object
) -> TurnsForm:
    """Return the first form of turns with these roles whose texts the template keeps."""
    probe = tuple(Message(role, f"text{place}") for place, role in enumerate(roles))
    refusals: list[Exception] = []
    forms = FORMS if roles[0] == "system" else FORMS[::2]
    for form in forms:
        try:
            text = templated(form(probe))
        except (TemplateError, TypeError) as error:  # TypeError: a list joined with a text
            refusals.append(error)
            continue
        if all(message.content in text for message in probe):
            return form
    if len(refusals) == len(forms):
        raise ValueError(
            f"{model}: its chat template refuses turns of {', '.join(roles)}: {refusals[0]}"
        ) from refusals[0]
    raise ValueError(
        f"{model}: its chat template leaves out the text of turns of {', '.join(roles)}; use a "
        "prompt of role `text`, such as rankvicuna, or another model"
    )
