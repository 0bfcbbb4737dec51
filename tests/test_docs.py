"""The code blocks of README, CONTRIBUTING and docs/ run, and the site builds.

A block whose first line is a comment with a file's name is written to that file. Of a block behind
`<!-- dry run: reason -->` Snakemake only plans the jobs; one behind `<!-- not run: reason -->` is
parsed, its verbs with their options too.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from markdown_it import MarkdownIt
from typer.main import get_command

from resrank.candidates.kinds import FIRST_STAGES
from resrank.cli import app
from resrank.collections.counting import Counts
from resrank.collections.kinds import COLLECTIONS
from resrank.collections.remote_file import RemoteFile
from resrank.options import Strict
from resrank.registry import KINDS, resolve
from resrank.suite import schema
from resrank.suite.load import load_suite
from resrank.suite.schema import Suite
from tests.conftest import ROOT, write_beir
from tests.dag import copy_project, with_forks

MARK = re.compile(r"<!-- (dry run|not run): (.+?) -->")
NAMED = re.compile(r"# ([\w./-]+\.(?:py|yaml))$", re.MULTILINE)
LANGUAGES = {"bash", "python", "yaml", "json", ""}


class Block(NamedTuple):
    language: str
    text: str
    mark: str

    @property
    def file(self) -> str:
        named = NAMED.match(self.text)
        return named.group(1) if named else ""


def blocks(page: Path) -> list[Block]:
    """A page's fenced blocks, each with the mark in the comment in front of it."""
    result, before = [], ""
    for token in MarkdownIt().parse(page.read_text("utf-8")):
        mark = MARK.search(token.content) if token.type == "html_block" else None
        if token.type == "fence":
            result.append(Block(token.info.strip(), token.content, before))
        before = mark.group(1) if mark else ""
    return result


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
PAGES = [page for page in PAGES if blocks(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_blocks(page, tmp_path, monkeypatch):
    folder = copy_project(tmp_path / "project", {})
    write_beir(folder / "data" / "papers")
    (folder / "qrels.txt").write_text("q1 0 p1 1\nq2 0 p4 1\n")
    (folder / "my.run").write_text("q1 Q0 p1 1 2.0 mine\nq1 Q0 p5 2 1.0 mine\n")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    for block in blocks(page):
        assert block.language in LANGUAGES, block
        check(block)


def check(block: Block) -> None:
    if block.file:
        Path(block.file).write_text(block.text)
    if block.language == "json":
        json.loads(block.text)
    elif block.language == "yaml":
        check_suite(yaml.safe_load(block.text))
    elif block.language == "python":
        compile(block.text, "block", "exec")
        if block.mark != "not run":
            Path("block.py").write_text(block.text)
            run("python", "-u", "block.py")
    elif block.language == "bash":
        check_shell(block)


def check_suite(given: dict) -> None:
    """A suite, or a part of one that is made whole; the files that it names are there, empty."""
    defined = given.get("define", {})
    whole = {"name": "part", "collections": [*defined.get("collections", ["docstrings"])],
             "systems": [*defined.get("systems", ["bm25"])]} | given  # fmt: skip
    for section in ("collections", "first_stages"):
        for spec in defined.get(section, {}).values():
            for path in (Path(spec[key]) for key in ("path", "qrels") if key in spec):
                path.parent.mkdir(parents=True, exist_ok=True)
                if not path.exists():
                    path.touch()
    load_suite(Suite.model_validate(whole).model_dump(mode="json", exclude_unset=True))


def check_shell(block: Block) -> None:
    run("bash", "-n", "-c", block.text)
    if block.mark == "not run":
        for line in block.text.replace("\\\n", " ").splitlines():
            check_verb(line)
        return
    dry = block.mark == "dry run"
    snakemake = "python -m snakemake" + " -n" * dry
    text = re.sub(r"^snakemake", snakemake, block.text, flags=re.M)
    run("bash", "-euo", "pipefail", "-c", text)


def check_verb(line: str) -> None:
    words = shlex.split(line, comments=True)
    if words[:3] == ["python", "-m", "resrank"]:
        verb = get_command(app).commands[words[3]]
        verb.make_context(words[3], words[4:])


def run(*command: str) -> None:
    environment = with_forks() | {"PYTHONPATH": os.getcwd(), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_tutorial_reranker_is_short():
    (reranker,) = [b for b in blocks(ROOT / "docs" / "tutorial.md") if b.file == "overlap.py"]
    assert len([line for line in reranker.text.splitlines() if line.strip()]) <= 30


def test_example_kinds_are_short():
    files = {b.file: b.text for b in blocks(ROOT / "CONTRIBUTING.md") if b.file.endswith(".py")}
    assert files.keys() == {"lines.py", "longest.py"}
    for text in files.values():
        assert len([line for line in text.splitlines() if line.strip()]) <= 20


def test_every_key_of_a_suite_is_explained():
    text = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert not [key for key in Suite.model_fields if f"`{key}`" not in text]


def test_the_messages_that_are_explained_are_said():
    text = (ROOT / "docs" / "howto" / "troubleshooting.md").read_text("utf-8")
    explained = text.partition("**What other tools say**")[0]
    rows = [line.split("|")[1] for line in explained.splitlines() if line.startswith("| `")]
    messages = [message for row in rows for message in re.findall("`(.+?)`", row)]
    folders = ("resrank/**/*.py", "baselines/**/*.py", "workflow/rules/*.smk")
    files = [file for pattern in folders for file in ROOT.glob(pattern)]
    # Without line breaks within a message, and what stands between its pieces.
    sources = " ".join(re.sub(r'"\s+f?"', "", file.read_text("utf-8")) for file in files)
    assert len(messages) > 9
    assert not [message for message in messages if message not in sources]


def test_site(tmp_path):
    """It builds without a warning or a network; the generated pages hold every verb and key."""
    pytest.importorskip("mkdocstrings", reason="the site needs the extra `docs`")
    # Not with --quiet, under which mkdocs counts no warning and --strict never fails.
    run(sys.executable, "-m", "mkdocs", "build", "--strict",
        "--config-file", str(ROOT / "mkdocs.yml"), "--site-dir", str(tmp_path))  # fmt: skip
    loaded = re.compile(r'<(?:script|link|img)[^>]*(?:src|href)="?https?://')
    assert not [page for page in tmp_path.rglob("*.html") if loaded.search(page.read_text("utf-8"))]
    page = (tmp_path / "reference" / "cli.html").read_text()
    assert all(
        f"<code>python -m resrank {verb}</code>" in page for verb in get_command(app).commands
    )
    page = (tmp_path / "reference" / "configuration.html").read_text()
    kinds = [resolve(kind) for kind in KINDS]
    models = [cls.Options for cls in kinds]
    models += [cls.Training for cls in kinds if cls.Training is not None]
    models += [m for m in vars(schema).values() if isinstance(m, type) and issubclass(m, Strict)]
    models += [table.resolve(k) for table in (COLLECTIONS, FIRST_STAGES) for k in table.classes]
    models += [RemoteFile, Counts]
    assert Suite in models
    keys = {key for model in models for key in model.model_fields}
    assert not sorted(key for key in keys if f"<code>{key}</code>" not in page)
    assert "strictly" in (tmp_path / "reference" / "python.html").read_text()
