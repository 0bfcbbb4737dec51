import pytest
from hypothesis import given
from hypothesis import strategies as st

from resrank.io import passage_table
from resrank.io.passage_table import PassageTable, sorted_by_id, write_passages
from resrank.records import Passage

IDS = st.lists(st.text(min_size=1).filter(lambda s: s.isprintable()), unique=True, max_size=40)


@given(IDS, st.integers(1, 7))
def test_sorted_in_runs_is_sorted(ids, run):
    passages = [Passage(i, f"text of {i}") for i in ids]
    assert list(sorted_by_id(iter(passages), run)) == sorted(passages, key=lambda p: p.id)


def test_an_id_that_stands_twice_in_different_runs():
    passages = [Passage(i, "") for i in "abca"]
    with pytest.raises(ValueError, match="'a' occurs twice"):
        list(sorted_by_id(passages, 2))


def test_written_in_blocks_and_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(passage_table, "BLOCK", 3)
    passages = [Passage(f"p{i}", f"text {i}" * (i % 2)) for i in range(8)]
    path = tmp_path / "passages.parquet"
    write_passages(path, iter(passages))
    table = PassageTable(path)
    assert (len(table), list(table)) == (8, passages)
    assert table.of(["p7", "p1", "p1", "absent"]) == {"p1": passages[1], "p7": passages[7]}
    assert table.of([]) == {}


def test_titles_are_kept_where_the_collection_has_them(tmp_path):
    passages = [Passage("a", "Title Text.", 5), Passage("b", "No title.")]
    path = tmp_path / "passages.parquet"
    write_passages(path, passages, titled=True)
    table = PassageTable(path)
    assert list(table) == passages
    assert table.of(["a"]) == {"a": passages[0]}
    assert list(sorted_by_id(passages[::-1], 1)) == passages
