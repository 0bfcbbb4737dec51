"""One reader under atheris, in this process: `python -m tests.fuzz.target NAME CORPUS [-option]`.

Its good and hostile inputs are put into the corpus first; libFuzzer's options follow.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

os.environ["TQDM_DISABLE"] = "1"
warnings.simplefilter("ignore")
with atheris.instrument_imports(include=["resrank", "baselines", "yaml"]):
    from tests.fuzz.readers import READERS


def main() -> None:
    """Fuzz until libFuzzer's limits are reached; exit status 0 if nothing was found."""
    name, corpus = sys.argv[1], Path(sys.argv[2])
    reader = READERS[name]
    for data in reader.inputs():
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    work = Path(tempfile.mkdtemp())

    def one(data: bytes) -> None:
        reader.target(data, work)

    atheris.Setup([sys.argv[0], *sys.argv[2:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
