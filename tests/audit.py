"""Report known vulnerabilities of every pinned package, by pip-audit (the extra `audit`).

`python -m tests.audit` passes its arguments to pip-audit: `-s osv` reads OSV's advisories. It also
prints for how many packages there were advisories at all. pip-audit alone reports "No known
vulnerabilities found" for an index without advisories, such as a mirror. Exit status 1: there is a
vulnerability; 3: nothing could be audited.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PINS = Path(__file__).parent.parent / "constraints.txt"
NOTHING_ASKED = 3


def judged(packages: list[dict[str, Any]]) -> tuple[list[str], int]:
    """The lines that say what is known of pip-audit's `dependencies`, and the exit status."""
    answered = [package for package in packages if "vulns" in package]
    reported = [
        f"{package['name']} {package['version']}: {vuln['id']}, mended in "
        f"{', '.join(vuln['fix_versions']) or 'no version yet'}"
        for package in answered
        for vuln in package["vulns"]
    ]
    lines = [*reported, f"{len(answered)} of {len(packages)} packages could be asked after, "
                     f"{len(reported)} vulnerabilities are known"]  # fmt: skip
    if not answered:
        lines.append("the index holds no advisories: nothing was audited")
    return lines, 1 if reported else 0 if answered else NOTHING_ASKED


def main() -> None:
    """Audit the pins, say what was found."""
    if find_spec("pip_audit") is None:
        sys.exit("pip-audit is not installed; `pip install -c constraints.txt -e '.[audit]'` does")
    command = [sys.executable, "-m", "pip_audit", "-r", str(PINS), "--no-deps", "--disable-pip",
               "--progress-spinner=off", "--desc=off", "-f=json", *sys.argv[1:]]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:  # it ends without a report where the service cannot be reached
        print(done.stderr[-1000:], "\nno service could be reached: nothing was audited", sep="")
        raise SystemExit(NOTHING_ASKED) from None
    lines, status = judged(packages)
    print("\n".join(lines))
    raise SystemExit(status)


if __name__ == "__main__":
    main()
