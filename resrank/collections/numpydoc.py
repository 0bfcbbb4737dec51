"""Read one docstring: its summary, its text, and the objects that its "See Also" names."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass

UNDERLINE = re.compile(r"^\s*[-=~^]{3,}\s*$")
SIGNATURE = re.compile(r"^[\w.]+\s*\(.*\)\s*(->.*)?$", re.DOTALL)
ROLE = re.compile(r":[a-z:]{1,20}:`~?\.?([^`<\n]{1,100})(?:<[^>\n]{1,100}>)?`")
NAME = re.compile(r"^[A-Za-z_][\w.]*$")
# A default value printed by its address, which differs from one process to the next.
ADDRESS = re.compile(r" at 0x[0-9a-f]+(?=>)")
SEE_ALSO_DIRECTIVE = re.compile(r"^\s*\.\. seealso::\s*(.*)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Docstring:
    """A parsed docstring. `see_also` holds names as written, not yet resolved."""

    summary: str
    text: str
    see_also: tuple[str, ...]

    @property
    def body(self) -> str:
        """Return the text without the summary, which opens it."""
        return self.text[len(self.summary) :].lstrip()


def parse(raw: str) -> Docstring | None:
    """Split a docstring; None if it has no summary. The "See Also" part is cut from the text."""
    lines = _without_signature(ADDRESS.sub("", inspect.cleandoc(raw)).splitlines())
    lines, see_also = _cut_see_also(lines)
    paragraphs = _paragraphs(lines)
    if not paragraphs:
        return None
    return Docstring(paragraphs[0], " ".join(paragraphs), tuple(see_also))


def _without_signature(lines: list[str]) -> list[str]:
    """Drop the signature with which C functions open, as a paragraph, some of them twice."""
    end = next((i for i, line in enumerate(lines) if not line.strip()), len(lines))
    head = "\n".join(lines[:end]).strip()
    if end < len(lines) and (not head or (len(head) < 1000 and SIGNATURE.match(head))):
        return _without_signature(lines[end + 1 :])
    return lines


def _cut_see_also(lines: list[str]) -> tuple[list[str], list[str]]:
    kept: list[str] = []
    names: list[str] = []
    place = 0
    while place < len(lines):
        directive = SEE_ALSO_DIRECTIVE.match(lines[place])
        if directive:
            end = _end_of_indented(lines, place + 1)
            names += _entries([directive[1], *lines[place + 1 : end]])
        elif _is_section(lines, place) and lines[place].strip().lower() == "see also":
            end = _end_of_section(lines, place + 2)
            names += _entries(lines[place + 2 : end])
        else:
            kept.append(lines[place])
            end = place + 1
        place = end
    return kept, names


def _is_section(lines: list[str], place: int) -> bool:
    return (
        place + 1 < len(lines)
        and bool(lines[place].strip())
        and bool(UNDERLINE.match(lines[place + 1]))
    )


def _end_of_section(lines: list[str], start: int) -> int:
    for place in range(start, len(lines)):
        if _is_section(lines, place):
            return place
    return len(lines)


def _end_of_indented(lines: list[str], start: int) -> int:
    for place in range(start, len(lines)):
        if lines[place].strip() and not lines[place].startswith(" "):
            return place
    return len(lines)


def _entries(lines: list[str]) -> list[str]:
    """Return the names in a "See Also": `a : what it does`, `a, b`, or roles in a sentence."""
    names: list[str] = []
    indents = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    margin = min(indents, default=0)
    for line in lines:
        roles = ROLE.findall(line)
        names += [role.strip().removesuffix("()") for role in roles]
        if roles or not line.strip() or len(line) - len(line.lstrip()) > margin:
            continue  # an entry's description is indented deeper than its name
        head = re.split(r"\s:|:\s|:$", line.strip())[0]
        names += [n for n in (part.strip(" `()") for part in head.split(",")) if NAME.match(n)]
    return list(dict.fromkeys(names))


def _paragraphs(lines: list[str]) -> list[str]:
    """Return paragraphs as single lines of plain words, without underlines and role markup."""
    body = "\n".join(line for line in lines if not UNDERLINE.match(line))
    body = ROLE.sub(r"\1", body).replace("`", "")
    blocks = (" ".join(block.split()) for block in re.split(r"\n\s*\n", body))
    return [block for block in blocks if block]
