"""The demo's table in the README: a command puts it there, and a test compares the two."""

from __future__ import annotations

from pathlib import Path

from resrank.io.atomic import write_text

START, END = "<!-- demo-table:start -->", "<!-- demo-table:end -->"


def update_readme(readme: Path, table: Path) -> None:
    """Replace the text between the markers by the table. ValueError without markers."""
    head, _, tail = _parts(readme)
    write_text(readme, f"{head}{START}\n{table.read_text('utf-8').strip()}\n{END}{tail}")


def readme_block(readme: Path) -> str:
    """Return the text between the markers."""
    return _parts(readme)[1].strip()


def _parts(readme: Path) -> tuple[str, str, str]:
    text = readme.read_text("utf-8")
    if text.count(START) != 1 or text.count(END) != 1:
        raise ValueError(f"{readme} must contain {START} and {END} once each")
    head, _, rest = text.partition(START)
    block, _, tail = rest.partition(END)
    return head, block, tail
