"""A disk that is really full: a small tmpfs, which grows before the second try."""

import hashlib
import json
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from resrank.candidates.freeze import freeze
from resrank.collections.archives import unpack
from resrank.collections.fetch import FetchError, fetch
from resrank.collections.file_locations import place_of
from resrank.collections.remote_file import RemoteFile
from resrank.io import passage_table
from resrank.io.atomic import NoRoom
from resrank.io.candidates import read_candidates
from resrank.io.collection import Collection
from tests.collections.files_server import serve
from tests.entries import parse_collection, parse_first_stage
from tests.job_helpers import ENVIRONMENT, RESULTS, command, write_suite

DATA = random.Random(1).randbytes(1_000_000)
Resize = Callable[[str], None]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Resize]]:
    """A folder on a disk of its own, and what sets the disk's size."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip("there is no `mount` here")
        if done.returncode != 0:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")

    mount("size=64k")
    try:
        yield folder, lambda size: mount(f"remount,size={size}")
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if not p.name.endswith(".lock"))


def large_beir(folder: Path) -> Path:
    """Passages that do not fit in 64 kB, and queries that find them."""
    rng = random.Random(2)
    words = [rng.randbytes(4).hex() for _ in range(2_000)]
    texts = {f"p{n:03}": " ".join(rng.choices(words, k=60)) for n in range(600)}
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": i, "title": "", "text": text} for i, text in texts.items()]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    queries = [{"_id": f"q{n:03}", "text": texts[f"p{n:03}"]} for n in range(200)]
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    judged = "".join(f"q{n:03}\tp{n:03}\t1\n" for n in range(200))
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    return folder


def test_a_download_goes_on_once_there_is_room(disk, monkeypatch):
    folder, resize = disk
    resize("600k")
    monkeypatch.setenv("RESRANK_DATA", str(folder))
    monkeypatch.delenv("RESRANK_MIRROR", raising=False)
    with serve({"/f": DATA}) as server:
        file = RemoteFile(
            url=f"{server.url}/f", bytes=len(DATA), checksum=f"md5:{hashlib.md5(DATA).hexdigest()}"
        )
        message = "cannot write .*/f: No space left on device; 1,000,000 bytes are needed there"
        with pytest.raises(FetchError, match=message):
            fetch(file)
        assert not place_of(file).exists()
        resize("2m")
        assert fetch(file).read_bytes() == DATA
        assert server.ranges[1] is not None  # what had come was not asked for again


def test_an_archive_that_does_not_fit_is_unpacked_whole_later(disk):
    folder, resize = disk
    resize("1500k")
    archive = folder / "x.zip"
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("a.bin", DATA[:400_000])
        out.writestr("b.bin", DATA)  # stored: the zip has 1.4 MB itself
    with pytest.raises(NoRoom, match=r"x.zip.unpacked: No space left on device; make room"):
        unpack(archive, 10**9)
    assert names(folder) == ["x.zip"]
    resize("4m")
    result = unpack(archive, 10**9)
    assert (result / "b.bin").read_bytes() == DATA


def test_a_collection_is_whole_or_not_there(disk, tmp_path):
    folder, resize = disk
    spec = parse_collection({"kind": "beir", "path": str(large_beir(tmp_path / "beir"))})
    with pytest.raises(NoRoom, match="cannot write .*/disk/c: No space left on device"):
        spec.collect(folder / "c")
    assert names(folder) == []
    resize("4m")
    spec.collect(folder / "c")
    spec.collect(tmp_path / "elsewhere")
    assert Collection(folder / "c").hash == Collection(tmp_path / "elsewhere").hash


def test_a_full_temporary_folder_is_named(disk, tmp_path, monkeypatch):
    folder, resize = disk
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setattr(passage_table.sorted_by_id, "__defaults__", (500,))
    spec = parse_collection({"kind": "beir", "path": str(large_beir(tmp_path / "beir"))})
    with pytest.raises(NoRoom, match=r"disk/.*0.parquet: .*name a folder .* in TMPDIR"):
        spec.collect(tmp_path / "c")
    assert names(folder) == []
    assert names(tmp_path) == ["beir", "disk"]
    resize("4m")
    spec.collect(tmp_path / "c")
    assert len(Collection(tmp_path / "c").passages) == 600


def test_candidates_are_whole_or_not_there(disk, tmp_path):
    folder, resize = disk
    parse_collection({"kind": "beir", "path": str(large_beir(tmp_path / "beir"))}).collect(
        tmp_path / "c",
    )
    spec, made = parse_first_stage({"kind": "bm25"}), Collection(tmp_path / "c")
    with pytest.raises(NoRoom, match=r"cannot write .*/bm25.parquet: No space left on device"):
        freeze(made, spec, folder / "bm25.parquet")
    assert names(folder) == []
    resize("4m")
    freeze(made, spec, folder / "bm25.parquet")
    freeze(made, spec, tmp_path / "bm25.parquet")
    assert read_candidates(folder / "bm25.parquet") == read_candidates(tmp_path / "bm25.parquet")


def test_a_limit_of_a_files_size_is_named_on_the_command_line(tmp_path):
    """Without a mount: the process may write files of 64 kB."""
    large_beir(tmp_path / "beir")
    folder = write_suite(tmp_path, {"bm25": {"kind": "first_stage"}})
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536)); "
        "from resrank.cli import main; sys.argv = ['resrank', *sys.argv[1:]]; main()"
    )
    words = command("collect", "--collection", "mine")[3:]
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    place = RESULTS / "collections" / "mine"
    assert message.startswith(f"error: cannot write {place}: File too large; make room")
    assert names(folder / place.parent) == []
