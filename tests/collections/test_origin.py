"""Collections that are fetched: BEIR's zip, published candidates, ir_datasets; archives refused."""

import gzip
import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from resrank.collections.archives import unpack
from resrank.collections.file_locations import place_of
from resrank.collections.remote_file import RemoteFile
from resrank.io.collection import Collection
from resrank.io.text import DataError
from resrank.io.yaml import ConfigError
from resrank.records import Split
from resrank.suite.load import load_suite
from resrank.suite.plan import Plan, as_json
from tests.collections.files_server import serve
from tests.conftest import ROOT
from tests.entries import parse_collection


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RESRANK_DATA", str(tmp_path / "cache"))
    monkeypatch.delenv("RESRANK_MIRROR", raising=False)


def remote(url, data):
    return {"url": url, "bytes": len(data), "checksum": f"md5:{hashlib.md5(data).hexdigest()}"}


def zipped(folder: Path, name: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as out:
        for path in sorted(folder.rglob("*")):
            out.write(path, f"{name}/{path.relative_to(folder)}")
    return held.getvalue()


def test_a_zip_is_fetched_unpacked_and_read(beir, tmp_path, capsys):
    data = zipped(beir, "set")
    with serve({"/set.zip": data}) as server:
        spec = {"kind": "beir", "archive": remote(f"{server.url}/set.zip", data), "folder": "set",
                "terms": "be kind", "licence": "CC BY", "source": "a set",
                "counts": {"passages": 6, "test_queries": 2, "test_judgments": 4}}  # fmt: skip
        parse_collection(spec).collect(tmp_path / "fetched")
        assert "a set: be kind (licence: CC BY)" in capsys.readouterr().err
        parse_collection(spec).collect(tmp_path / "again")
        assert "be kind" not in capsys.readouterr().err
        assert server.requests == {"/set.zip": 1}
    parse_collection({"kind": "beir", "path": str(beir)}).collect(tmp_path / "local")
    fetched, local = Collection(tmp_path / "fetched"), Collection(tmp_path / "local")
    assert fetched.hash == local.hash
    assert fetched.manifest["terms"] == "be kind"


def test_another_version_is_noticed(beir, tmp_path):
    spec = {"kind": "beir", "path": str(beir), "counts": {"passages": 7}}
    with pytest.raises(DataError, match="6 passages, but its entry says 7"):
        parse_collection(spec).collect(tmp_path / "out")


def test_an_archive_without_a_train_split_is_told_when_it_is_fetched(beir, tmp_path):
    (beir / "qrels" / "train.tsv").unlink()
    data = zipped(beir, "set")
    with serve({"/set.zip": data}) as server:
        entry = {"kind": "beir", "archive": remote(f"{server.url}/set.zip", data), "folder": "set",
                 "source": "a set"}  # fmt: skip
        suite = {"name": "s", "collections": ["own"], "systems": ["bi_encoder_tuned"],
                 "define": {"collections": {"own": entry}}}  # fmt: skip
        plan = Plan(load_suite(suite), "out")
        assert plan.learners("own") == ["bi_encoder_tuned"]
        spec = parse_collection(entry)
        with pytest.raises(DataError, match="a set: it has no train query, but bi_encoder_tuned"):
            spec.collect(tmp_path / "out", ["bi_encoder_tuned"])
        spec.collect(tmp_path / "out")
    named = load_suite(suite | {"define": {"collections": {"own": entry | {"train": None}}}})
    assert named.trained_on("bi_encoder_tuned") == [
        "docstrings"
    ]  # known before anything is fetched


def test_candidates_and_qrels_by_address(tmp_path):
    row = {"query": {"text": "sort", "qid": "q1"}, "candidates": [
        {"docid": "p1", "score": 2.0, "doc": {"contents": "sort an array"}},
        {"docid": "p2", "score": 1.0, "doc": {"contents": "a plot"}},
    ]}  # fmt: skip
    lists, qrels = json.dumps(row).encode() + b"\n", b"q1 0 p2 1\n"
    with serve({"/l.jsonl": lists, "/q.txt": qrels}) as server:
        spec = {"kind": "candidates", "path": remote(f"{server.url}/l.jsonl", lists),
                "qrels": remote(f"{server.url}/q.txt", qrels)}  # fmt: skip
        parse_collection(spec).collect(tmp_path / "out")
    made = Collection(tmp_path / "out")
    assert made.qrels(Split.TEST) == {"q1": {"p2": 1}}


# ir_datasets' catalogue with the checksums of the small files, read as it is imported.
OTHER_SUMS = """
import json, pkgutil, sys
from pathlib import Path
from tests.entries import parse_collection
sums, spec, out = json.loads(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
original = pkgutil.get_data
def changed(package, name):
    data = original(package, name)
    if not name.endswith("downloads.json"):
        return data
    all_ = json.loads(data)
    found = all_["msmarco-passage"]
    found["collectionandqueries"]["expected_md5"] = sums[0]
    found["trec-dl-2019/queries"]["expected_md5"] = sums[1]
    found["trec-dl-2019/qrels"]["expected_md5"] = sums[2]
    return json.dumps(all_).encode()
pkgutil.get_data = changed
parse_collection(spec).collect(Path(out))
"""


def test_what_ir_datasets_reads_is_fetched_here(tmp_path):
    """MS MARCO's own files, small: its tar, its queries, TREC's qrels, its broken encoding."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as tar:
        for name, text in (("collection.tsv", "7\tsort an array\n9\tcaf\u00c3\u00a9\n"),
                           ("queries.train.tsv", "1\tone\n"), ("queries.dev.tsv", "2\ttwo\n"),
                           ("queries.eval.tsv", "3\tthree\n")):  # fmt: skip
            about = tarfile.TarInfo(name)
            about.size = len(text.encode())
            tar.addfile(about, io.BytesIO(text.encode()))
    files = {"/c.tar.gz": held.getvalue(), "/q.tsv.gz": gzip.compress(b"5\thow to sort\n6\tno\n"),
             "/qrels.txt": b"5 0 7 3\n5 0 9 0\n"}  # fmt: skip
    with serve(files) as server:
        spec = {
            "kind": "ir_datasets", "dataset": "msmarco-passage/trec-dl-2019/judged",
            "files": [remote(f"{server.url}{path}", data) for path, data in files.items()],
            "counts": {"passages": 2, "test_queries": 1, "test_judgments": 2},
        }  # fmt: skip
        sums = [hashlib.md5(data).hexdigest() for data in files.values()]
        command = [sys.executable, "-c", OTHER_SUMS, json.dumps(sums), json.dumps(spec)]
        subprocess.run(
            [*command, str(tmp_path / "out")],
            check=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
    made = Collection(tmp_path / "out")
    assert {p.id: p.text for p in made.passages} == {"7": "sort an array", "9": "caf\u00e9"}
    assert [q.text for q in made.queries(Split.TEST)] == ["how to sort"]
    assert made.qrels(Split.TEST) == {"5": {"7": 3, "9": 0}}


def test_an_id_that_ir_datasets_does_not_know(tmp_path):
    spec = {"kind": "ir_datasets", "dataset": "msmarco-passage/trec-dl-1999"}
    with pytest.raises(DataError, match="knows no collection 'msmarco-passage/trec-dl-1999'"):
        parse_collection(spec).collect(tmp_path / "out")


def archive(tmp_path, *members, mode=0o644):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in members:
            about = zipfile.ZipInfo(name)
            about.external_attr = mode << 16
            about.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(about, data)
    return path


@pytest.mark.parametrize("name", ["../out.txt", "/etc/out.txt", "a/../../out.txt", "..\\out.txt"])
def test_a_path_outside_is_refused(tmp_path, name):
    path = archive(tmp_path, ("fine.txt", "x"), (name, "x"))
    with pytest.raises(DataError, match="a path outside its folder"):
        unpack(path, 100)
    assert [p.name for p in tmp_path.iterdir() if not p.name.endswith(".lock")] == ["x.zip"]


def test_a_link_is_refused(tmp_path):
    with pytest.raises(DataError, match="a link"):
        unpack(archive(tmp_path, ("l", "/etc"), mode=0o120777), 100)


def test_a_bomb_is_refused_by_its_declared_size(tmp_path):
    path = archive(tmp_path, ("zeros", bytes(50_000_000)))
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match="50,000,000 bytes, more than the 1,000,000"):
        unpack(path, 1_000_000)


def test_a_damaged_zip_leaves_no_folder(tmp_path):
    path = archive(tmp_path, ("a", os.urandom(100_000)))
    whole = bytearray(path.read_bytes())
    whole[50_000] ^= 1
    path.write_bytes(whole)
    with pytest.raises(DataError, match="a zip that cannot be read"):
        unpack(path, 1_000_000)
    assert not path.with_name("x.zip.unpacked").exists()


UNPACK = "import sys; from pathlib import Path; from resrank.collections.archives import unpack; "
UNPACK += "print('ready', flush=True); unpack(Path(sys.argv[1]), 10**9)"


def test_a_zip_made_on_windows(tmp_path):
    path = archive(tmp_path, ("set\\", ""), ("set\\qrels\\test.tsv", "x"), ("set\\a:b.txt", "y"))
    result = unpack(path, 100)
    assert (result / "set" / "qrels" / "test.tsv").read_text() == "x"
    assert (result / "set" / "a:b.txt").read_text() == "y"


def test_an_encrypted_zip_says_so(tmp_path):
    path = archive(tmp_path, ("a.txt", "x"))
    data = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + place] |= 1  # the flag of an encrypted member
    path.write_bytes(data)
    with pytest.raises(DataError, match="cannot be read .*encrypted"):
        unpack(path, 100)


def test_killed_while_unpacking(tmp_path):
    members = [(f"{n}.bin", os.urandom(200_000)) for n in range(200)]
    path = archive(tmp_path, *members)
    folder = path.with_name("x.zip.unpacked")
    start = time.monotonic()
    unpack(path, 10**9)
    took, rng = time.monotonic() - start, random.Random(1)
    shutil.rmtree(folder)
    kills = [0, 0]  # before it was whole, and after
    for _ in range(20):
        one = subprocess.Popen(
            [sys.executable, "-c", UNPACK, str(path)], stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        one.stdout.readline()
        time.sleep(rng.uniform(0, took))
        one.send_signal(signal.SIGKILL)
        one.communicate()
        kills[folder.exists()] += 1
        if folder.exists():  # it was done before the kill
            assert {p.name: p.read_bytes() for p in folder.iterdir()} == dict(members)
            shutil.rmtree(folder)
    assert kills[0] >= 5
    result = unpack(path, 10**9)
    assert {p.name: p.read_bytes() for p in result.iterdir()} == dict(members)


def test_either_a_path_or_an_archive():
    file = RemoteFile(url="https://x/y.zip", bytes=1, checksum=f"md5:{'0' * 32}")
    assert place_of(file).name == "y.zip"
    for given in ({}, {"path": "x", "archive": file.model_dump()}):
        with pytest.raises(ValueError, match="either `path`, a folder, or `archive`"):
            parse_collection({"kind": "beir", **given})


def test_an_optional_set_that_is_not_there_is_skipped_by_name(beir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entry = {"kind": "beir", "path": str(beir)}
    suite = {"name": "s", "collections": ["own", "robust04"], "systems": ["bm25"],
             "define": {"collections": {"own": entry}}}  # fmt: skip
    resolved = load_suite(suite)
    assert resolved.suite.collections == ["own"]
    assert resolved.skipped == {
        "robust04": "no data/robust04 (licence: TREC disks 4 and 5 agreement)"
    }
    again = load_suite(json.loads(as_json(resolved.given)))  # as the report reads it
    assert again.skipped == resolved.skipped
    with pytest.raises(ConfigError, match="no collection is left to evaluate: robust04"):
        load_suite(suite | {"collections": ["robust04"]})


def test_without_a_network_an_optional_set_is_skipped_and_any_other_is_an_error(
    beir, tmp_path, monkeypatch
):
    data = b"candidates"
    far = {"kind": "candidates", "path": remote("https://x.org/far.jsonl", data),
           "qrels": str(beir / "qrels" / "test.tsv"), "licence": "CC BY"}  # fmt: skip
    entry = {"kind": "beir", "path": str(beir)}
    suite = {"name": "s", "collections": ["own", "far"], "systems": ["bm25"],
             "define": {"collections": {"own": entry, "far": far}}}  # fmt: skip
    offline = suite | {"offline": True}
    assert load_suite(suite | {"optional": ["far"]}).suite.collections == ["own", "far"]
    with pytest.raises(ConfigError, match=r"'far': offline, and far.jsonl not here; fetch it on"):
        load_suite(offline)
    resolved = load_suite(offline | {"optional": ["far"]})
    assert resolved.suite.collections == ["own"]
    assert resolved.skipped == {"far": "offline, and far.jsonl not here (licence: CC BY)"}
    again = load_suite(json.loads(as_json(resolved.given)))  # as the report reads it
    assert again.skipped == resolved.skipped
    (tmp_path / "mirror" / "x.org").mkdir(parents=True)
    (tmp_path / "mirror" / "x.org" / "far.jsonl").write_bytes(data)
    monkeypatch.setenv("RESRANK_MIRROR", str(tmp_path / "mirror"))
    assert load_suite(offline).suite.collections == ["own", "far"]


def test_a_suite_says_what_it_goes_on_without(beir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entry = {"kind": "beir", "path": str(beir)}
    suite = {"name": "s", "collections": ["own", "robust04"], "systems": ["bm25"],
             "define": {"collections": {"own": entry}}}  # fmt: skip
    with pytest.raises(ConfigError, match="'robust04': no path data/robust04"):
        load_suite(suite | {"optional": []})
    with pytest.raises(ConfigError, match="optional: 'scifact' is not among the suite's"):
        load_suite(suite | {"optional": ["scifact"]})
