"""References: every key has an entry, years agree, and every claim's source is among them."""

import re

import pytest

from resrank.io.shipped_files import CONFIG_DIR
from resrank.io.yaml import read_yaml

REFERENCES = read_yaml(CONFIG_DIR / "references.yaml")
ENTRIES = REFERENCES["entries"]
ARXIV = re.compile(r"arXiv[: ](\d\d)(\d\d)\.(\d{4,5})")
SECTIONS = ("kinds", "systems", "collections", "first_stages", "metrics", "claims")


def test_every_key_that_is_used_has_an_entry():
    used = {key for section in SECTIONS for keys in REFERENCES[section].values() for key in keys}
    assert used <= ENTRIES.keys()
    assert ENTRIES.keys() <= used, "no suite and no claim refers to these"


@pytest.mark.parametrize("key", ENTRIES)
def test_years_agree(key):
    """The key holds the entry's year; a preprint's year is its id's, and no paper precedes it."""
    entry = ENTRIES[key]
    assert re.fullmatch(r"[a-z]+(\d{4})[a-z0-9]+", key)[1] == str(entry["year"])
    for title in (entry["title"], entry.get("booktitle", "")):
        if named := re.search(r"TREC\} (20\d\d)|TREC (20\d\d)", title):
            assert int(named[1] or named[2]) <= entry["year"] <= int(named[1] or named[2]) + 1
    if arxiv := ARXIV.search(f"{entry.get('journal', '')} {entry.get('note', '')}"):
        assert 1 <= int(arxiv[2]) <= 12
        preprint = 2000 + int(arxiv[1])
        assert entry["year"] == preprint if "journal" in entry else entry["year"] >= preprint


def test_every_source_of_claims_has_a_reference_with_its_arxiv_id():
    files = {path.stem: path for path in (CONFIG_DIR / "claims").glob("*.yaml")}
    assert files.keys() == REFERENCES["claims"].keys()
    for name, path in files.items():
        listed = [ENTRIES[key] for key in REFERENCES["claims"][name]]
        assert listed, name
        texts = " ".join(f"{entry.get('journal', '')} {entry.get('note', '')}" for entry in listed)
        cited = {match.groups() for match in ARXIV.finditer(read_yaml(path)["source"])}
        assert cited <= {match.groups() for match in ARXIV.finditer(texts)}, name
