"""Listwise prompts as data: YAML templates, hashed into a run's manifest."""

from __future__ import annotations

import hashlib
import json
import re
import string
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, model_validator

from resrank.io.yaml import read_source
from resrank.options import Strict

LETTERS = string.ascii_uppercase
FOLDER = Path(__file__).parent
PLAIN = re.compile(r"[ -%'-~]*\n?")  # ASCII without control characters and '&'
NUMBER = re.compile(r"\[\d+\] ", re.ASCII)
IDENTIFIERS = {False: re.compile(r"\[(\d+)\]"), True: re.compile(r"\[([A-Za-z]+)\]")}  # by letter?


class Message(NamedTuple):
    """One turn. Role `text` is a prompt that is sent as it stands, with no chat template."""

    role: str
    content: str


Prompt = tuple[Message, ...]


def sampling_seed(prompt: Prompt, seed: int) -> int:
    """A prompt's own seed, in 31 bits: what is sampled for it depends on nothing asked before."""
    about = json.dumps([seed, prompt]).encode()
    return int.from_bytes(hashlib.sha256(about).digest()[:4]) >> 1


class Turn(Strict):
    """A turn of a template; `{num}`, `{query}`, `{rank}`, `{letter}`, `{text}` are filled in."""

    role: Literal["system", "user", "assistant", "text"]
    content: str


class Template(Strict):
    """A listwise prompt. Turns of one role that follow each other are one turn."""

    source: str = Field(description="The paper it is from.")
    opening: tuple[Turn, ...]
    passage: tuple[Turn, ...] = Field(description="Repeated for each passage.")
    closing: tuple[Turn, ...]
    words: int = Field(300, ge=1, description="Longer passages lose their end, in words.")
    fix_text: bool = Field(False, description="Repair text of broken encoding (ftfy).")

    @model_validator(mode="after")
    def _one_form(self) -> Template:
        turns = (*self.opening, *self.passage, *self.closing)
        if len({turn.role == "text" for turn in turns}) != 1:
            raise ValueError("either every turn has the role 'text', or none has")
        shown = "".join(turn.content for turn in self.passage)
        if "{text}" not in shown or not ("{rank}" in shown or "{letter}" in shown):
            raise ValueError("`passage` needs {text}, and {rank} or {letter}")
        return self

    @property
    def by_letter(self) -> bool:
        """Whether passages are named by letters."""
        return any("{letter}" in turn.content for turn in self.passage)

    def build(self, query: str, passages: Sequence[str], words: int | None = None) -> Prompt:
        """The prompt of one window. Passages alone are cut, never the instruction or the query.

        An identifier within a passage, [3] or, where letters name them, [C], becomes (3) or (C),
        so that it names no passage.
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
        """Whether a passage loses its end."""
        return len(text.split()) > (words or self.words)

    @property
    def hash(self) -> str:
        """SHA-256 of everything that shapes the prompt."""
        return hashlib.sha256(self.model_dump_json(exclude={"source"}).encode()).hexdigest()


@lru_cache(maxsize=100_000)
def plain_passage(text: str, words: int, by_letter: bool = False) -> str:
    """A passage as a prompt shows it: cut, in one line, identifiers' brackets made round."""
    return IDENTIFIERS[by_letter].sub(r"(\1)", " ".join(text.split()[:words]))


def template_path(name: str) -> Path:
    """Where a prompt lies: a user's own file under its own name."""
    return Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"


@cache
def template(name: str) -> Template:
    """A template by name, or by path if it ends in .yaml.

    Raises ValueError that lists the known, or names the file that holds none.
    """
    path = template_path(name)
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.yaml")))
        raise ValueError(f"unknown prompt {name!r}; known: {known}; or the path of a .yaml file")
    return read_source(Template, path)


def _fill(content: str, **values: str | int) -> str:
    """Placeholders replaced in one go: a passage that holds '{query}' keeps it."""
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
    """`ftfy.fix_text`, which works line by line too; most lines have nothing to repair.

    It resolves HTML entities up to the first line that holds a '<'. A passage recurs under other
    numbers, so what stands behind the number is what is looked up.
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
