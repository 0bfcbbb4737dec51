import pytest

from resrank.files import atomic_file, atomic_folder
from resrank.parquet import read_columns
from resrank.store import read_candidates, write_candidates


def test_a_failed_write_leaves_the_old_file_and_no_partial(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_file(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_whole(tmp_path):
    path = tmp_path / "d"
    with pytest.raises(RuntimeError), atomic_folder(path) as partial:
        (partial / "x").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with atomic_folder(path) as partial:
        (partial / "x").write_text("whole")
    assert (path / "x").read_text() == "whole"


def test_a_damaged_file_and_one_of_another_kind_are_named(tmp_path):
    path = tmp_path / "bm25.parquet"
    write_candidates(path, {"q": [("p", 1.0)]})
    assert read_candidates(path) == {"q": [("p", 1.0)]}
    with pytest.raises(
        ValueError, match="bm25.parquet has no column metric .*another kind of file"
    ):
        read_columns(path, ["query_id", "metric"])
    whole = path.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    path.write_bytes(whole[:footer] + b"\xff" * 8 + whole[footer + 8 :])
    with pytest.raises(ValueError, match="bm25.parquet is damaged .*delete it"):
        read_candidates(path)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="bm25.parquet is damaged"):
        read_candidates(path)
