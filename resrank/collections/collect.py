"""From a collection's entry in the configuration to the common form on disk."""

from __future__ import annotations

from pathlib import Path

from resrank.collections.origin import show_terms
from resrank.config import Collection


def collect(spec: Collection, out: Path) -> None:
    """Write the collection that `spec` describes under `out`; its terms are shown first."""
    show_terms(spec)
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
