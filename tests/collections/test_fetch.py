"""Downloads from a real local server: failing, killed, two at once, from a mirror."""

import gzip
import hashlib
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from resrank.collections import fetch as module
from resrank.collections.download import Download
from resrank.collections.fetch import FetchError, fetch
from resrank.collections.file_locations import place_of
from resrank.collections.remote_file import RemoteFile
from tests.collections.files_server import serve
from tests.conftest import ROOT

DATA = random.Random(1).randbytes(1_000_000)


def file_at(url, data=DATA, **change):
    given = {"url": url, "bytes": len(data), "checksum": f"md5:{hashlib.md5(data).hexdigest()}"}
    return RemoteFile.model_validate(given | change)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RESRANK_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("RESRANK_MIRROR", raising=False)
    monkeypatch.setattr(module, "FIRST_WAIT", 0.01)


@pytest.mark.parametrize("checksum", ["md5", "sha256"])
def test_fetched_once_and_checked(checksum):
    named = f"{checksum}:{hashlib.new(checksum, DATA).hexdigest()}"
    with serve({"/a/f.zip": DATA}) as server:
        file = file_at(f"{server.url}/a/f.zip", checksum=named)
        assert fetch(file).read_bytes() == DATA
        assert fetch(file) == place_of(file)
        assert server.requests == {"/a/f.zip": 1}
        place_of(file).write_bytes(bytes(len(DATA)))  # damaged later: fetched again
        assert fetch(file).read_bytes() == DATA


@pytest.mark.parametrize("fault", ["500", "429", "truncated", "reset", "wrong"])
@pytest.mark.parametrize("ranged", [True, False])
def test_what_fails_once_is_tried_again(fault, ranged):
    with serve({"/f": DATA}, lambda _, number: fault if number == 1 else None) as server:
        server.ranged = ranged
        assert fetch(file_at(f"{server.url}/f")).read_bytes() == DATA
        assert server.requests["/f"] == 2
        if ranged and fault in ("truncated", "reset"):
            assert server.ranges[1].startswith("bytes=")
            assert server.sent < 1.5 * len(DATA)  # the whole and the half that came first


@pytest.mark.parametrize(
    ("fault", "message"),
    [("404", "status 404"), ("wrong", "its checksum is md5:"), ("500", "status 500"),
     ("longer", "the server has 1,000,001 bytes, not 1,000,000")],
)  # fmt: skip
def test_what_cannot_be_had_is_an_error_and_leaves_nothing_whole(fault, message):
    with serve({"/f": DATA}, lambda *_: fault) as server:
        file = file_at(f"{server.url}/f")
        with pytest.raises(FetchError, match=f"{message}.*put the file at .*RESRANK_MIRROR"):
            fetch(file)
        assert not place_of(file).exists()


def test_a_body_that_is_called_gzip_is_the_file_itself():
    data = gzip.compress(DATA)
    with serve({"/f.gz": data}) as server:
        server.encoding = "gzip"
        assert fetch(file_at(f"{server.url}/f.gz", data)).read_bytes() == data


def test_a_link_that_breaks_often_but_goes_on_is_no_failure():
    with serve({"/f": DATA}, lambda _, number: "truncated" if number <= 9 else None) as server:
        assert fetch(file_at(f"{server.url}/f")).read_bytes() == DATA
        assert server.requests["/f"] > module.TRIES


def test_nobody_at_the_address():
    with pytest.raises(FetchError, match="ConnectionError"):
        fetch(file_at("http://127.0.0.1:9/f"))


def test_an_address_with_another_size_is_refused_before_its_body():
    with serve({"/f": DATA}) as server, pytest.raises(FetchError, match=r"not 2,000,000"):
        fetch(file_at(f"{server.url}/f", bytes=2_000_000))


def test_a_mirror_by_folder_and_by_address(tmp_path, monkeypatch):
    file = file_at("https://example.org/a/b.zip")
    (tmp_path / "mirror" / "example.org" / "a").mkdir(parents=True)
    (tmp_path / "mirror" / "example.org" / "a" / "b.zip").write_bytes(DATA)
    monkeypatch.setenv("RESRANK_MIRROR", str(tmp_path / "mirror"))
    assert fetch(file).read_bytes() == DATA
    place_of(file).unlink()
    with serve({"/m/example.org/a/b.zip": DATA}) as server:
        monkeypatch.setenv("RESRANK_MIRROR", f"{server.url}/m/")
        assert fetch(file).read_bytes() == DATA
    monkeypatch.setenv("RESRANK_MIRROR", str(tmp_path / "none"))
    place_of(file).unlink()
    with pytest.raises(FetchError, match="no such file in the mirror"):
        fetch(file)


CLIENT = """
import sys
from resrank.collections.fetch import fetch
from resrank.collections.remote_file import RemoteFile
print(fetch(RemoteFile.model_validate_json(sys.argv[1])))
"""


def client(file):
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT, file.model_dump_json()],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_two_processes_make_one_download():
    with serve({"/f": DATA}) as server:
        server.pause = 0.02
        file = file_at(f"{server.url}/f")
        both = [client(file) for _ in range(2)]
        assert [one.communicate()[0].strip() for one in both] == [str(place_of(file))] * 2
        assert server.requests == {"/f": 1}
    assert place_of(file).read_bytes() == DATA


def test_killed_twenty_times_and_whole_at_last():
    rng = random.Random(1)
    with serve({"/f": DATA}) as server:
        server.pause = 0.05  # a second for all of it
        file = file_at(f"{server.url}/f")
        partial = place_of(file).with_name("f.partial")
        kills = 0
        while kills < 20:
            one = client(file)
            before = server.requests["/f"]
            while server.requests["/f"] == before and one.poll() is None:
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.2))
            if one.poll() is None:
                one.send_signal(signal.SIGKILL)
                kills += 1
            one.communicate()
            if place_of(file).exists():
                assert place_of(file).read_bytes() == DATA
                place_of(file).unlink()
            elif partial.exists():
                assert DATA.startswith(partial.read_bytes())
        assert any(r and r != "bytes=0-" for r in server.ranges)
        one = client(file)
        one.communicate()
        assert one.returncode == 0
    assert place_of(file).read_bytes() == DATA


def test_a_full_disk_says_how_much_is_needed(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Download, "write", full)
    with serve({"/f": DATA}) as server:
        file = file_at(f"{server.url}/f")
        with pytest.raises(FetchError, match="No space left on device; 1,000,000 bytes are needed"):
            fetch(file)
    assert not place_of(file).exists()
