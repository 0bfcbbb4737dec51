"""The kinds of collections by name, imported only when they are used."""

from __future__ import annotations

from resrank.kinds import KindTable

COLLECTIONS = KindTable(
    "collection",
    {
        "beir": "resrank.collections.beir:BeirCollection",
        "candidates": "resrank.collections.candidates:CandidatesCollection",
        "docstrings": "resrank.collections.docstrings:DocstringsCollection",
        "ir_datasets": "resrank.collections.ir_datasets:IrDatasetsCollection",
    },
)
