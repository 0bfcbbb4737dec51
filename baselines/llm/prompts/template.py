"""Listwise prompts as YAML templates, whose hash is in each run's manifest."""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from baselines.llm.interface import Message, Prompt
from baselines.llm.word_limit import count_words, first_words
from resrank.io.yaml import read_source
from resrank.options import Strict

LETTERS = string.ascii_uppercase
FOLDER = Path(__file__).parent
PLAIN = re.compile(r"[ -%'-~]*\n?")  # ASCII without control characters and '&'
NUMBER = re.compile(r"\[\d+\] ", re.ASCII)
IDENTIFIERS = {False: re.compile(r"\[(\d+)\]"), True: re.compile(r"\[([A-Za-z]+)\]")}  # by letter?


class Turn(Strict):
    """A turn of a template with placeholders `{num}`, `{query}`, `{rank}`, `{letter}`, `{text}`."""

    role: Literal["system", "user", "assistant", "text"]
    content: str


class Template(Strict):
    """A listwise prompt. Consecutive turns of one role become one turn."""

    source: str = Field(description="The paper that published it.")
    opening: tuple[Turn, ...]
    passage: tuple[Turn, ...] = Field(description="Repeated for each passage.")
    closing: tuple[Turn, ...]
    words: int = Field(300, ge=1, description="Passages are cut after this many words.")
    fix_text: bool = Field(False, description="Repair text of broken encoding (ftfy).")

    @model_validator(mode="after")
    def _check_form(self) -> Template:
        turns = (*self.opening, *self.passage, *self.closing)
        if len({turn.role == "text" for turn in turns}) != 1:
            raise ValueError("either every turn has the role 'text', or none has")
        content = "".join(turn.content for turn in self.passage)
        if "{text}" not in content or not ("{rank}" in content or "{letter}" in content):
            raise ValueError("`passage` needs {text}, and {rank} or {letter}")
        return self

    @property
    def by_letter(self) -> bool:
        """Whether letters identify the passages."""
        return any("{letter}" in turn.content for turn in self.passage)

    def build(self, query: str, passages: Sequence[str], words: int | None = None) -> Prompt:
        """Return the prompt of one window. Only passages are cut, not the instruction or query.

        An identifier within a passage, [3] or (if letters identify passages) [C], becomes (3) or
        (C), so that it identifies no passage.
        """
        limit = words or self.words
        num = len(passages)
        turns = [(t.role, _fill(t.content, num=num, query=query)) for t in self.opening]
        for rank, text in enumerate(passages, start=1):
            about: dict[str, str | int] = {"rank": rank, "letter": LETTERS[rank - 1 : rank]}
            about["text"] = plain_passage(text, limit, self.by_letter)
            turns += [(t.role, _fill(t.content, **about)) for t in self.passage]
        turns += [(t.role, _fill(t.content, num=num, query=query)) for t in self.closing]
        return _joined(turns, fix=self.fix_text)

    def cuts(self, text: str, words: int | None = None) -> bool:
        """Whether a passage is longer than the limit, so that its end is cut off."""
        return count_words(text) > (words or self.words)

    @property
    def hash(self) -> str:
        """Return the SHA-256 of everything that determines the prompt."""
        return hashlib.sha256(self.model_dump_json(exclude={"source"}).encode()).hexdigest()


@lru_cache(maxsize=100_000)
def plain_passage(text: str, words: int, by_letter: bool = False) -> str:
    """Return a passage for a prompt: cut, on one line, [3] replaced by (3)."""
    return IDENTIFIERS[by_letter].sub(r"(\1)", first_words(text, words))


def template_path(name: str) -> Path:
    """Return a prompt's path: the name itself if it is a user's file."""
    return Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"


@cache
def template(name: str) -> Template:
    """Return a template by name, or by path if it ends in .yaml.

    ValueError if the name is unknown (it lists the known names) or the file holds no template.
    """
    path = template_path(name)
    if not path.is_file():
        names = ", ".join(sorted(p.stem for p in FOLDER.glob("*.yaml")))
        raise ValueError(f"unknown prompt {name!r}; known: {names}; or the path of a .yaml file")
    return read_source(Template, path)


def _fill(content: str, **values: str | int) -> str:
    """Replace placeholders in one pass, so that a passage that holds '{query}' keeps it."""
    names = "|".join(values)
    return re.sub(rf"\{{({names})\}}", lambda m: str(values[m.group(1)]), content)


def _joined(turns: Sequence[tuple[str, str]], *, fix: bool) -> Prompt:
    joined: list[Message] = []
    for role, content in turns:
        if joined and joined[-1].role == role:
            content = joined.pop().content + content
        joined.append(Message(role, content))
    if fix:
        joined = [Message(m.role, _fixed(m.content)) for m in joined]
    return tuple(joined)


def _fixed(text: str) -> str:
    """Return `ftfy.fix_text(text)`, but skip lines that need no repair and cache the others.

    ftfy works line by line, and resolves HTML entities up to the first line that holds a '<'. A
    passage recurs under other numbers, so the cache's key is the line without its number.
    """
    lines, entities = [], True
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        entities = entities and "<" not in line
        if PLAIN.fullmatch(line):
            lines.append(line)
            continue
        number = NUMBER.match(line)
        start = number.end() if number else 0
        lines += [line[:start], _fixed_line(line[start:], entities)]
    return "".join(lines)


@lru_cache(maxsize=100_000)
def _fixed_line(line: str, entities: bool) -> str:
    import ftfy

    return str(ftfy.fix_text(line, unescape_html="auto" if entities else False))
