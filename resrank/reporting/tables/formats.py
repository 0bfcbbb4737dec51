"""Tables as Markdown and as LaTeX.

The best cell is bold in both. The second best is in italics in Markdown and underlined in LaTeX,
as papers print it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from resrank.reporting.tables.column import Column

LATEX = {
    "&": r"\&",
    "%": r"\%",
    "_": r"\_",
    "#": r"\#",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "±": r"$\pm$",
    "<": "$<$",
    "†": r"$\dagger$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    # Without braces, these two would be read as options of the line break before them.
    "[": "{[}",
    "*": "{*}",
}
MARKDOWN_LOOKS = ("{}", "**{}**", "*{}*")
LATEX_LOOKS = ("{}", r"\textbf{{{}}}", r"\underline{{{}}}")
"""Templates of a cell that is not marked, the best, and the second best."""
ITALICS = "Best in bold, second best in italics."
UNDERLINED = "Best in bold, second best underlined."


class Cell(NamedTuple):
    """A cell's text, and whether it is the best (1) or second best (2) of its column."""

    text: str
    rank: int = 0


def markdown(rows: Sequence[Sequence[Cell]], columns: Mapping[str, Column], caption: str) -> str:
    """Return a Markdown table with its caption below."""
    headers = [column.header for column in columns.values()]
    rule = ["--:" if c.decimals or c.best else ":--" for c in columns.values()]
    body = [[MARKDOWN_LOOKS[c.rank].format(_markdown_text(c.text)) for c in row] for row in rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in [headers, rule, *body])
    return f"{table}\n\n{_with_legend(caption, rows, ITALICS)}\n"


def latex(rows: Sequence[Sequence[Cell]], columns: Mapping[str, Column], caption: str) -> str:
    """Return a LaTeX table with its caption above; it needs the package booktabs."""
    body = [
        " & ".join(LATEX_LOOKS[c.rank].format(_latex_text(c.text)) for c in row) + r" \\"
        for row in rows
    ]
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_latex_text(_with_legend(caption, rows, UNDERLINED))}}}",
            rf"\begin{{tabular}}{{{'l' * len(columns)}}}",
            r"\toprule",
            " & ".join(_latex_text(column.header) for column in columns.values()) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _with_legend(caption: str, rows: Sequence[Sequence[Cell]], legend: str) -> str:
    """Explain the looks of the best cells if any cell is marked."""
    marked = any(cell.rank for row in rows for cell in row)
    return f"{caption.rstrip()} {legend}" if marked else caption


def _markdown_text(text: str) -> str:
    return text.replace("|", r"\|")


def _latex_text(text: str) -> str:
    return "".join(LATEX.get(c, c) for c in text)
