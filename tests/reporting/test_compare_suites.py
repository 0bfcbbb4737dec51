import pandas as pd
import pytest

from resrank.io.manifest import output_hashes, read_checked_json, write_checked_json
from resrank.reporting.compare_suites import (
    changed,
    changes,
    changes_text,
    write_changes,
)
from tests.reporting.results_folder import write_results


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("a") / "generated", queries=40)


@pytest.fixture
def after(tmp_path):
    return write_results(tmp_path / "generated", queries=40)


def test_a_folder_compared_with_itself_has_no_changes(before):
    frame = changes(before, before)
    assert set(frame["kind"]) == {"score", "cost", "data", "version", "configuration"}
    assert changed(frame).empty
    assert "## score: 0 of 6 changed" in changes_text(frame)


def test_two_runs_of_one_suite_do_not_differ(before, after):
    assert changed(changes(before, after)).empty


def edit(path, change):
    about = read_checked_json(path)
    change(about)
    write_checked_json(path, about)


def test_each_kind_of_change_is_detected(before, after):
    path = after / "scores/c0/bm25.parquet"
    scores = pd.read_parquet(path)
    scores.loc[scores["system"] == "s1", "value"] += 0.1
    one = (scores["system"] == "s2") & (scores["query_id"] == "q3")
    scores.loc[one, "value"] -= 0.2
    scores.to_parquet(path)
    hashes = output_hashes([path], path.parent)
    edit(path.with_suffix(".manifest.json"), lambda about: about.update(outputs=hashes))
    table = pd.read_csv(after / "tables/comparison.csv")
    table.loc[0, "p50_ms_online"] *= 2
    table.to_csv(after / "tables/comparison.csv", index=False)
    edit(after / "candidates/c1/bm25.manifest.json", lambda about: about.update(hash="other"))
    edit(after / "report.manifest.json", lambda about: about["config"].update(title="Mine"))
    edit(
        after / "report.manifest.json",
        lambda about: about["environment"]["packages"].update(numpy="1.0"),
    )
    frame = changed(changes(before, after)).set_index("name")
    better = frame.loc["c0 over bm25, s1 nDCG@10"]
    assert better["difference"] == pytest.approx(0.1)
    assert better["p_holm"] == pytest.approx(
        6e-4
    )  # the smallest p of 9,999 draws, two-sided, times three systems
    assert better["queries"] == 40
    one_query = frame.loc["c0 over bm25, s2 nDCG@10"]
    assert one_query["difference"] == pytest.approx(-0.2 / 40)
    assert one_query["p_holm"] == 1
    doubled = frame.loc["c0 over bm25, s0 p50_ms_online"]
    assert doubled["b"] == 2 * doubled["a"]
    assert frame.loc["candidates/c1/bm25", "b"] == "other"
    assert frame.loc["title", ["a", "b"]].tolist() == ["Generated <results>", "Mine"]
    assert "1.0" in frame.loc["numpy", "b"]
    assert len(frame) == 6
    text = changes_text(changes(before, after))
    assert "(+0.1), p 0.0006 over 40 queries: significant" in text
    assert "p 1.0000 over 40 queries: not significant" in text


def test_an_item_in_only_one_folder_is_named(before, after):
    (after / "scores/c1/bm25.parquet").unlink()
    assert "scores/c1/bm25.parquet: scores/c1/bm25.parquet -> missing" in changes_text(
        changes(before, after)
    )


def test_changes_are_written_as_csv_or_markdown(before, tmp_path):
    frame = changes(before, before)
    write_changes(frame, tmp_path / "x.csv")
    assert len(pd.read_csv(tmp_path / "x.csv")) == len(frame)
    write_changes(frame, tmp_path / "x.md")
    assert (tmp_path / "x.md").read_text() == changes_text(frame) + "\n"
    with pytest.raises(ValueError, match=r"name a \.csv file"):
        write_changes(frame, tmp_path / "x.txt")
