"""From a collection's entry in the configuration to the common form on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from resrank.collections.kinds import Collection
from resrank.collections.origin import show_terms
from resrank.io.collection import Collection as Stored
from resrank.io.text import DataError
from resrank.records import Split


def collect(spec: Collection, out: Path, learners: Sequence[str] = ()) -> None:
    """Write the collection that `spec` describes under `out`; its terms are shown first.

    learners: systems that are to be trained on it. Raises DataError if it has no train query for
    them, before anything else is made of it.
    """
    show_terms(spec)
    _write(spec, out)
    if learners and not Stored(out).queries(Split.TRAIN):
        raise DataError(
            f"{spec.source}: it has no train query, but {', '.join(learners)} would be trained on "
            "it; name another collection in `trained_on`"
        )


def _write(spec: Collection, out: Path) -> None:
    if spec.kind == "docstrings":
        from resrank.collections import docstrings

        docstrings.collect(spec, out)
    elif spec.kind == "beir":
        from resrank.collections import folder

        folder.collect(spec, out)
    elif spec.kind == "ir_datasets":
        from resrank.collections import ir_dataset

        ir_dataset.collect(spec, out)
    else:
        from resrank.collections import imported

        imported.collect(spec, out)
