import os
import subprocess
import sys

import pytest

from resrank.io.atomic import atomic_file, atomic_folder
from resrank.io.candidates import read_candidates, write_candidates
from resrank.io.parquet import read_columns
from tests.conftest import ROOT


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


def test_files_have_the_users_own_permissions(tmp_path):
    made = """
import os, sys
os.umask(0o027)
import torch
from pathlib import Path
from safetensors.torch import save_file
from resrank.io.atomic import atomic_file, atomic_folder
with atomic_folder(Path("folder")) as out:
    (out / "inner").mkdir()
    save_file({"w": torch.zeros(1)}, out / "inner" / "w.safetensors")
with atomic_file(Path("file")) as out:
    out.write_text("x")
"""
    done = subprocess.run(
        [sys.executable, "-c", made], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )  # fmt: skip
    assert done.returncode == 0
    modes = {p.name: p.stat().st_mode & 0o777 for p in tmp_path.rglob("*")}
    assert modes == {"folder": 0o750, "inner": 0o750, "w.safetensors": 0o640, "file": 0o640}


def test_a_folder_does_not_take_a_files_place(tmp_path):
    (tmp_path / "model").write_text("mine")
    message = "model is a file, but a folder is needed there"
    with pytest.raises(FileExistsError, match=message), atomic_folder(tmp_path / "model"):
        raise AssertionError("nothing is written for it")
    assert (tmp_path / "model").read_text() == "mine"


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
    (tmp_path / "candidates.jsonl").write_text('{"query": "q"}')  # the user's own: not to delete
    with pytest.raises(ValueError, match="candidates.jsonl is no parquet file; give one that"):
        read_candidates(tmp_path / "candidates.jsonl")
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="bm25.parquet is damaged"):
        read_candidates(path)
