"""Known vulnerabilities of every pinned package, asked of pip-audit (the extra `audit`).

`python -m tests.audit` asks PyPI; words after it go to pip-audit (`-s osv` asks OSV). Beside what is
known it prints of how many packages anything could be asked: pip-audit alone says "No known
vulnerabilities found" of an index that holds no advisories, as mirrors do. Exit status 1: something
is known; 3: nothing could be asked.
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
    asked = [package for package in packages if "vulns" in package]
    known = [
        f"{package['name']} {package['version']}: {vuln['id']}, mended in "
        f"{', '.join(vuln['fix_versions']) or 'no version yet'}"
        for package in asked
        for vuln in package["vulns"]
    ]
    lines = [*known, f"{len(asked)} of {len(packages)} packages could be asked after, "
                     f"{len(known)} vulnerabilities are known"]  # fmt: skip
    if not asked:
        lines.append("the index holds no advisories: nothing was audited")
    return lines, 1 if known else 0 if asked else NOTHING_ASKED


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
