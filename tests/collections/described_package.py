"""A small package with docstrings in numpydoc form, importable for a test."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WORDS = "one two three four five six seven eight nine ten eleven twelve"
DOCS = {
    "area": f"area(radius)\n\nReturn the area of a circle.\n\n{WORDS} area.\n\nSee Also\n--------\nrim : Its length.\nround_off\n",
    "rim": f"Return the length of a circle's rim.\n\n{WORDS} rim.\n\nSee Also\n--------\narea : What it encloses.\n",
    "round_off": f"Round a number to whole ones.\n\n{WORDS} round.\n",
    "ceil": f"Round a number to whole ones.\n\n{WORDS} ceil.\n\nSee Also\n--------\nround_off : To the nearest.\n",
    "short": "Return a number that is short.\n\nOnly a few words.\n",
    "terse": f"Too terse.\n\n{WORDS} terse.\n",
    "twin_a": f"Return the first of two twins.\n\n{WORDS} twins.\n",
    "twin_b": f"Return the second of two twins.\n\n{WORDS} twins.\n",
    **{
        f"same_{n}": f"Return one of six with this summary.\n\n{WORDS} number {n}.\n"
        for n in range(6)
    },
    **{
        f"wrapper_{n}": f"Wrap function number {n} of six.\n\n{WORDS} see the documentation.\n"
        for n in range(6)
    },
}


@contextmanager
def described_package(folder: Path, name: str = "described") -> Iterator[str]:
    """Yield the name of a package whose functions have `DOCS`; `alias` is `area` again."""
    functions = [f"def {n}():\n    {doc!r}\n" for n, doc in DOCS.items()]
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text("\n".join([*functions, "alias = area\n"]))
    sys.path.insert(0, str(folder))
    try:
        yield name
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop(name, None)
