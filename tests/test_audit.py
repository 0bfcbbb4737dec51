"""An audit of the pins says what is known, and does not take silence for safety."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.audit import NOTHING_ASKED, PINS, judged
from tests.conftest import ROOT

SOUND = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "Dependency not found"}
FLAWED = {"name": "c", "version": "2", "vulns": [{"id": "X-1", "fix_versions": ["3"]}]}


@pytest.mark.parametrize(
    ("packages", "status", "message"),
    [
        ([SOUND, SKIPPED], 0, "1 of 2 packages"),
        ([SKIPPED], NOTHING_ASKED, "nothing was audited"),
        ([SOUND, FLAWED], 1, "c 2: X-1, mended in 3"),
    ],
)
def test_verdicts(packages, status, message):
    lines, result = judged(packages)
    assert result == status
    assert message in "\n".join(lines)


class Advisories(BaseHTTPRequestHandler):
    """Speaks OSV's protocol: jinja2 has a vulnerability, nothing else has."""

    def do_POST(self) -> None:
        requested = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        vulns = [ADVISORY] if requested["package"]["name"] == "jinja2" else []
        body = json.dumps({"vulns": vulns} if vulns else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


ADVISORY = {
    "id": "PYSEC-0",
    "summary": "made for this test",
    "affected": [
        {
            "package": {"name": "jinja2", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99"}]}],
        }
    ],
}


def audit(url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.audit", "-s=osv", f"--osv-url={url}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_every_pin_is_asked_after():
    pytest.importorskip("pip_audit", reason="pip-audit is not installed")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Advisories)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    done = audit(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()
    pins = sum("==" in line for line in PINS.read_text().splitlines())
    assert f"{pins} of {pins} packages" in done.stdout, done.stdout + done.stderr
    assert "PYSEC-0, mended in 99" in done.stdout
    assert done.returncode == 1


def test_a_service_that_is_not_there_is_no_clean_bill():
    pytest.importorskip("pip_audit", reason="pip-audit is not installed")
    done = audit("http://127.0.0.1:9")
    assert "nothing was audited" in done.stdout
    assert done.returncode == NOTHING_ASKED
