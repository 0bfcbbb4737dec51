"""Chat templates of every style: no turn's text is lost on the way to the model."""

import pytest

from baselines.llm.backends.transformers import TransformersModel
from baselines.llm.chat import chat_text
from baselines.llm.interface import Message
from baselines.llm.options import TransformersOptions
from baselines.llm.prompts.template import FOLDER, template
from tests.shapes import save_causal


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = save_causal(tmp_path_factory.mktemp("lm") / "m", "qwen3")
    options = {"kind": "transformers", "model": folder, "dtype": "float32"}
    return TransformersModel(TransformersOptions.model_validate(options))


PARTS = (
    "{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ c['text'] }}{% endif %}{% endfor %}"
)
EITHER = "{% if m['content'] is string %}{{ m['content'] }}{% else %}" + PARTS + "{% endif %}"
REFUSE = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
ALTERNATE = (
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{% endfor %}"
)


def turns(content, condition="true"):
    return (
        "{% for m in messages %}{% if " + condition + " %}<{{ m['role'] }}>" + content
        + "{% endif %}{% endfor %}"
    )  # fmt: skip


TEMPLATES = {
    "text": turns("{{ m['content'] }}"),
    "trimmed text": turns("{{ m['content'] | trim }}"),
    "joined with +": turns("{{ 'x' + m['content'] }}"),
    "parts": turns(PARTS),
    "text or parts": turns(EITHER),
    "no system turn": REFUSE + turns("{{ m['content'] }}"),
    "turns that alternate": ALTERNATE + turns("{{ m['content'] }}"),
    "a system turn left out": turns("{{ m['content'] }}", "m['role'] != 'system'"),
    "parts without a system turn": REFUSE + turns(PARTS),
    "parts, a system turn left out": turns(PARTS, "m['role'] != 'system'"),
}
PROMPTS = [
    path.stem
    for path in sorted(FOLDER.glob("*.yaml"))
    if template(path.stem).opening[0].role != "text"
]


@pytest.mark.parametrize("style", TEMPLATES)
@pytest.mark.parametrize("name", PROMPTS)
def test_every_style_keeps_every_text(model, style, name):
    model.tokenizer.chat_template = TEMPLATES[style]
    prompt = template(name).build("what do fleas do", ["fleas jump", "cats sleep"])
    text = model.chat_text(prompt)
    for message in prompt:
        assert message.content.strip() in text
    assert text.count("fleas jump") == 1


def test_text_is_templated_as_text_where_the_template_takes_it(model):
    prompt = (Message("system", "Be brief."), Message("user", "Rank."))
    model.tokenizer.chat_template = TEMPLATES["text or parts"]
    assert model.chat_text(prompt) == "<system>Be brief.<user>Rank."
    model.tokenizer.chat_template = TEMPLATES["a system turn left out"]
    assert model.chat_text(prompt) == "<user>Be brief.\nRank."


@pytest.mark.parametrize(
    ("text", "message"),
    [("{% for m in messages %}[{{ m['role'] }}]{% endfor %}", "leaves out the text of turns of user;"),
     (turns("{{ m['content'] }}", "m['role'] == 'assistant'"), "leaves out the text of turns of user;"),
     ("{{ raise_exception('no turns') }}", "refuses turns of user: no turns")],
)  # fmt: skip
def test_a_template_that_keeps_no_text_is_refused(model, text, message):
    model.tokenizer.chat_template = text
    with pytest.raises(ValueError, match=message):
        model.chat_text((Message("user", "Rank."),))


class SlotTokenizer:
    """Only the chat template of a tokenizer."""

    def __init__(self, tokenizer):
        self.apply_chat_template = tokenizer.apply_chat_template


@pytest.mark.parametrize("style", ["text", "parts"])
def test_every_prompt_goes_through_the_same_forms(model, style):
    """PE-Rank and E2Rank template one user turn, with arguments of their own."""
    model.tokenizer.chat_template = TEMPLATES[style]
    turns = (Message("user", "Rank."),)
    text = chat_text(SlotTokenizer(model.tokenizer), turns, "m", {"enable_thinking": False})
    assert text == "<user>Rank."
    model.tokenizer.chat_template = "{% for m in messages %}{% endfor %}"
    with pytest.raises(ValueError, match="^m: its chat template leaves out"):
        chat_text(SlotTokenizer(model.tokenizer), turns, "m", {})
