"""Tables as CSV, Markdown and LaTeX: of each column the best in bold, the second best marked too.

The second best is in italics in Markdown and underlined in LaTeX, as papers have it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from resrank.io.atomic import atomic_file, write_text

LATEX = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
         "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}",
         "±": r"$\pm$", "<": "$<$", "↑": r"$\uparrow$", "↓": r"$\downarrow$",
         "[": "{[}", "*": "{*}"}  # fmt: skip
"""The last two would be read as options of the line break before them."""
IN_MARKDOWN = {0: "{}", 1: "**{}**", 2: "*{}*"}
IN_LATEX = {0: "{}", 1: r"\textbf{{{}}}", 2: r"\underline{{{}}}"}
"""How a cell looks that is neither, the best, the second best."""
ITALICS, UNDERLINED = (
    "Best in bold, second best in italics.",
    "Best in bold, second best underlined.",
)


@dataclass(frozen=True)
class Column:
    """A shown column: its header, decimals, and whether high or low is best (0: neither).

    spread, interval, mark: the columns of what is shown behind `±`, in brackets, and at the end;
    missing: what stands where there is no value; p: a probability, of which one too small for the
    decimals is written as below the least of them; unit: what a shown 1 stands for; among: the
    column of truth values that say which rows may be best (all, if unset).
    """

    header: str
    decimals: int = 0
    best: int = 0
    spread: str | None = None
    interval: tuple[str, str] | None = None
    missing: str = "–"
    mark: str | None = None
    p: bool = False
    unit: float = 1.0
    among: str | None = None


WHERE = {"collection": Column("collection"), "first_stage": Column("first stage")}
"""The columns that name a candidate set."""
COST: dict[str, Any] = {"best": -1, "among": "reranks"}
"""Of a column of costs: low is best, among what reranks; the first stage itself costs nothing."""


def write_table(
    folder: Path,
    name: str,
    frame: pd.DataFrame,
    columns: Mapping[str, Column],
    groups: Sequence[str],
    caption: str,
) -> list[Path]:
    """Write `<name>.csv` (plain numbers, all columns), `.md` and `.tex` (as shown)."""
    with atomic_file(folder / f"{name}.csv") as partial:
        frame.to_csv(partial, index=False, float_format="%.6g", lineterminator="\n")
    ranks = best_cells(frame, columns, groups)
    headers = [column.header for column in columns.values()]

    def rows(plain: Callable[[str], str], look: Mapping[int, str]) -> list[list[str]]:
        return [
            [
                look[ranks.get((place, key), 0)].format(plain(cell))
                for key, cell in zip(columns, _cells(frame, place, columns), strict=True)
            ]
            for place in range(len(frame))
        ]

    said = [f"{caption.rstrip()} {how}" if ranks else caption for how in (ITALICS, UNDERLINED)]
    write_text(folder / f"{name}.md", _markdown(headers, rows(_md, IN_MARKDOWN), columns, said[0]))
    write_text(folder / f"{name}.tex", _latex(headers, rows(_tex, IN_LATEX), columns, said[1]))
    return [folder / f"{name}.{ending}" for ending in ("csv", "md", "tex")]


def best_cells(
    frame: pd.DataFrame, columns: Mapping[str, Column], groups: Sequence[str]
) -> dict[tuple[int, str], int]:
    """(row, column) -> 1 or 2: each group's best and second best, as shown.

    What rounds alike ties; of two values that differ, the worse is no second best.
    """
    ranks: dict[tuple[int, str], int] = {}
    keys: list[tuple[object, ...]] = list(frame[list(groups)].itertuples(index=False, name=None))
    for key, column in columns.items():
        if not column.best or key not in frame:
            continue
        rivals = frame[key].notna() & (frame[column.among].eq(True) if column.among else True)
        for group in dict.fromkeys(keys):
            values = {
                place: round(float(frame[key].iloc[place]) / column.unit, column.decimals)
                for place in range(len(frame))
                if keys[place] == group and rivals.iloc[place]
            }
            ordered = sorted(set(values.values()), reverse=column.best > 0)
            marked = ordered[: min(2, len(ordered) - 1)]
            ranks |= {
                (place, key): marked.index(value) + 1
                for place, value in values.items()
                if value in marked
            }
    return ranks


def _cells(frame: pd.DataFrame, place: int, columns: Mapping[str, Column]) -> list[str]:
    row = frame.iloc[place]
    cells = []
    for key, column in columns.items():
        value = row[key]
        if isinstance(value, str):
            cells.append(value)
        elif pd.isna(value):
            cells.append(column.missing)
        else:
            cells.append(_number(float(value), row, column))
    return cells


def _number(value: float, row: pd.Series[Any], column: Column) -> str:
    """A value with its spread or its interval, if it has one, and its mark."""
    text = _with_bounds(value, row, column)
    mark = row[column.mark] if column.mark else None
    return f"{text} {mark}".rstrip() if isinstance(mark, str) else text


def _with_bounds(value: float, row: pd.Series[Any], column: Column) -> str:
    least = 10.0**-column.decimals
    if column.p and value < least:
        return f"<{least:.{column.decimals}f}"
    text = f"{value / column.unit:,.{column.decimals}f}"
    if column.spread and pd.notna(row[column.spread]):
        return f"{text} ± {row[column.spread]:.{column.decimals}f}"
    if column.interval and pd.notna(row[column.interval[0]]):
        low, high = (f"{row[name]:,.{column.decimals}f}" for name in column.interval)
        return f"{text} [{low}, {high}]"
    return text


def _markdown(
    headers: list[str], rows: list[list[str]], columns: Mapping[str, Column], caption: str
) -> str:
    rule = ["--:" if c.decimals or c.best else ":--" for c in columns.values()]
    lines = [headers, rule, *rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{table}\n\n{caption}\n"


def _latex(
    headers: list[str], rows: list[list[str]], columns: Mapping[str, Column], caption: str
) -> str:
    body = [" & ".join(row) + r" \\" for row in rows]
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_tex(caption)}}}",
            rf"\begin{{tabular}}{{{'l' * len(columns)}}}",
            r"\toprule",
            " & ".join(map(_tex, headers)) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _md(text: str) -> str:
    return text.replace("|", r"\|")


def _tex(text: str) -> str:
    return "".join(LATEX.get(c, c) for c in text)
