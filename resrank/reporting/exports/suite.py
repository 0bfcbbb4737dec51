"""All exports of a suite, made from its folder alone."""

from __future__ import annotations

from pathlib import Path

from resrank.reporting.exports.model_index import export_model_index
from resrank.reporting.exports.references import export_references
from resrank.reporting.exports.runs import export_runs, run_files


def export_suite(root: Path, out: Path, team: str | None = None) -> list[Path]:
    """Write runs/, model_index/ and references.bib under `out`.

    Raises FileNotFoundError, which names what is missing, if `root` holds no finished suite.
    """
    if not run_files(root):
        raise FileNotFoundError(f"no runs under {root}; give the folder results/<suite>")
    return [
        *export_runs(root, out, team),
        *export_model_index(root, out / "model_index"),
        export_references(root, out / "references.bib"),
    ]
