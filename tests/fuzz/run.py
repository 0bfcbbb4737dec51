"""Coverage-guided fuzzing of every reader, with atheris (the extra `fuzz`).

`python -m tests.fuzz.run --seconds 20` gives each reader that long and prints a line for each: how
often it ran, how many branches it reached, and whether anything came out of it but the documented
error, or it took more than 10 seconds or 2 GB. What it tripped over stands under `--out`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

LIMITS = ["-timeout=10", "-rss_limit_mb=2048", "-malloc_limit_mb=1024", "-max_len=8192"]
REACHED = re.compile(r"cov: (\d+)")
RAN = re.compile(r"stat::number_of_executed_units: (\d+)")


def names() -> list[str]:
    """The readers."""
    from tests.fuzz.readers import READERS

    return list(READERS)


def fuzz(name: str, seconds: int, out: Path) -> bool:
    """Fuzz one reader in a process of its own and print what was found; False if anything was."""
    corpus, findings = out / name / "corpus", out / name / "findings"
    for folder in (corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable, "-m", "tests.fuzz.target", name, str(corpus), *LIMITS,
        f"-max_total_time={seconds}", f"-artifact_prefix={findings}/", "-print_final_stats=1",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    output = done.stdout + done.stderr
    ran, reached = RAN.search(output), REACHED.findall(output)
    verdict = "nothing" if done.returncode == 0 else f"see {findings}\n{output[-3000:]}"
    print(
        f"{name:<18}{ran[1] if ran else '?':>9} runs, {reached[-1] if reached else '?':>5} "
        f"branches: found {verdict}",
        flush=True,
    )
    return done.returncode == 0


def main() -> None:
    """Fuzz the named readers, or all; exit status 1 if anything was found."""
    if find_spec("atheris") is None:
        sys.exit(
            "atheris is not installed, so nothing was run; `pip install -c constraints.txt -e "
            "'.[test,fuzz]'` installs it (wheels for Linux on x86-64). `pytest tests/fuzz` does "
            "without it."
        )
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20, help="for each reader")
    parser.add_argument("--reader", choices=names(), action="append", help="may be repeated")
    parser.add_argument("--out", type=Path, help="where inputs are kept; temporary if not given")
    given = parser.parse_args()
    out = given.out or Path(tempfile.mkdtemp(prefix="fuzz-"))
    sound = [fuzz(name, given.seconds, out) for name in given.reader or names()]
    print(f"{len(sound)} readers, {sound.count(False)} with findings; inputs are under {out}")
    raise SystemExit(not all(sound))


if __name__ == "__main__":
    main()
