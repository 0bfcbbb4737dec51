"""Training examples whose passages state their relevance, for models that learn in seconds."""

from resrank.records import Candidate, Passage, Query, TrainingExample

PASSAGES_OF_GRADE = ("about something else", "partly about it", "exactly this one")
SCRATCH = {"kind": "transformers", "model": {"layers": 1}, "dtype": "float32"}


def examples(count: int = 12, size: int = 6) -> list[TrainingExample]:
    """Return queries with `size` candidates each.

    The candidates' grades are 0, 1, 2 in turn, shifted by the query's number.
    """
    made = []
    for q in range(count):
        grades = {f"{q}-{n}": (n + q) % 3 for n in range(size)}
        listed = [
            Candidate(Passage(name, f"{PASSAGES_OF_GRADE[grade]}, number {q}"), -float(n))
            for n, (name, grade) in enumerate(grades.items())
        ]
        positives = [c.passage for c in listed if grades[c.passage.id] == 2]
        query = Query(f"q{q}", f"find number {q}")
        made.append(TrainingExample(query, listed, grades, positives, grades))
    return made
