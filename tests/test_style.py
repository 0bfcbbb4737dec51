"""Rules on names and signatures that linters do not have, over the whole project."""

from tests.style import CODE, MOST_PROBES, all_probes, breaches

FOLDERS = [*CODE, "tests"]


def test_names_signatures_and_types_keep_the_rules():
    assert breaches(FOLDERS) == []


def test_there_are_few_probes():
    assert len(all_probes(FOLDERS)) <= MOST_PROBES
