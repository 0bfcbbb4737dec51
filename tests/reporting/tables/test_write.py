import pandas as pd

from resrank.reporting.readme import readme_block, update_readme
from resrank.reporting.tables.column import Column
from resrank.reporting.tables.ranking import best_cells
from resrank.reporting.tables.write import write_table

FRAME = pd.DataFrame(
    {"g": ["x", "x", "x", "y"], "name": ["a|1", "b_2", "c", "d"],
     "score": [0.50001, 0.5, 0.4, 0.1], "ms": [3.0, 1.0, None, 2.0], "sd": [0.01, None, None, None]}
)  # fmt: skip
COLUMNS = {
    "name": Column("system"),
    "score": Column("nDCG@10", 3, 1, "sd"),
    "ms": Column("ms", 1, -1),
}


def test_the_best_is_by_group_as_displayed_and_ties_share_it():
    assert best_cells(FRAME, COLUMNS, ["g"]) == {
        (0, "score"): 1, (1, "score"): 1, (1, "ms"): 1,
    }  # fmt: skip


def test_the_second_best_and_rows_that_do_not_compete():
    frame = pd.DataFrame({"ms": [0.1, 5.0, 7.0, 9.0], "reranks": [False, True, True, True]})
    columns = {"ms": Column("ms", 1, -1, among="reranks")}
    assert best_cells(frame, columns, []) == {(1, "ms"): 1, (2, "ms"): 2}
    assert best_cells(frame, {"ms": Column("ms", 1, 1)}, []) == {(3, "ms"): 1, (2, "ms"): 2}


def test_a_table_as_markdown_latex_and_csv(tmp_path):
    write_table(tmp_path, "t", FRAME, COLUMNS, ["g"], "A 100% caption.")
    markdown = (tmp_path / "t.md").read_text().splitlines()
    assert markdown[0] == "| system | nDCG@10 | ms |"
    assert markdown[2] == r"| a\|1 | **0.500 ± 0.010** | 3.0 |"
    assert markdown[4] == "| c | 0.400 | – |"
    latex = (tmp_path / "t.tex").read_text()
    assert r"b\_2 & \textbf{0.500} & \textbf{1.0} \\" in latex
    assert r"\caption{A 100\% caption. Best in bold, second best underlined.}" in latex
    assert pd.read_csv(tmp_path / "t.csv")["score"].tolist() == [0.50001, 0.5, 0.4, 0.1]


def test_readme_block(tmp_path):
    readme, table = tmp_path / "README.md", tmp_path / "t.md"
    readme.write_text("a\n<!-- demo-table:start -->\nold\n<!-- demo-table:end -->\nb\n")
    table.write_text("| new |\n")
    update_readme(readme, table)
    assert readme_block(readme) == "| new |"
    assert readme.read_text().startswith("a\n")
    assert readme.read_text().endswith("-->\nb\n")
