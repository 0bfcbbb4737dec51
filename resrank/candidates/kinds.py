"""The kinds of first stages by name, imported only when they are used."""

from __future__ import annotations

from resrank.kinds import KindTable

FIRST_STAGES = KindTable(
    "first stage",
    {
        "bm25": "resrank.candidates.bm25:Bm25Stage",
        "dense": "resrank.candidates.dense:DenseStage",
        "frozen": "resrank.candidates.frozen:FrozenStage",
        "fusion": "resrank.candidates.fusion:FusionStage",
        "imported": "resrank.candidates.imported:ImportedStage",
        "run": "resrank.candidates.run:RunStage",
    },
)
