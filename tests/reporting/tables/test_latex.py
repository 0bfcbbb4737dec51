"""LaTeX tables compile: cells of every kind, and the tables of this repository."""

import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from resrank.reporting.tables.column import Column
from resrank.reporting.tables.formats import LATEX
from resrank.reporting.tables.write import write_table

ROOT = Path(__file__).parents[3]


def has_booktabs() -> bool:
    """Return whether LaTeX and the package that the tables need are installed."""
    if shutil.which("pdflatex") is None or shutil.which("kpsewhich") is None:
        return False
    return bool(subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True).stdout)


latex = pytest.mark.skipif(not has_booktabs(), reason="no pdflatex with booktabs")


def compile_tables(folder: Path, tables: list[Path]) -> None:
    """Compile all tables in one document. The AssertionError ends with LaTeX's output."""
    inputs = [rf"\input{{{path}}}\clearpage" for path in tables]
    head = [r"\documentclass{article}", r"\usepackage[utf8]{inputenc}", r"\usepackage{booktabs}"]
    text = [*head, r"\begin{document}", *inputs, r"\end{document}"]
    (folder / "all.tex").write_text("\n".join(text))
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"],
        cwd=folder, capture_output=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout.decode("latin-1")[-1500:]


@latex
def test_cells_of_every_kind(tmp_path):
    frame = pd.DataFrame(
        {"system": ["".join(LATEX), "[no option]", "*star"], "score": [0.5, 0.25, 0.1],
         "sd": [0.1, None, None], "low": [0.4, None, None], "high": [0.6, None, None],
         "mark": ["↑", "↓", ""], "p": [1e-9, 0.5, None]}
    )  # fmt: skip
    columns = {
        "system": Column("collection_of #1 & more"),
        "score": Column("nDCG@10", 2, 1, "sd", mark="mark"),
        "low": Column("low", 2, interval=("low", "high")),
        "p": Column("p", 4, p=True),
    }
    written = write_table(tmp_path / "tables", "t", frame, columns, [], "–: 95% of “a” ± nDCG – …")
    compile_tables(tmp_path, [path for path in written if path.suffix == ".tex"])


@latex
def test_tables_of_this_repository(tmp_path):
    tables = sorted(ROOT.glob("results/*/tables/*.tex"))
    assert len(tables) > 20
    compile_tables(tmp_path, tables)
