"""The table `tokens`: each system's token counts, and two papers' ways of counting them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from resrank.efficiency.tokens import processed_by_lm, processed_in_slots, tokens
from resrank.reporting.results import read_tokenizers, read_usage
from resrank.reporting.tables.column import CANDIDATE_SET, Column
from resrank.reporting.tables.estimates import marked_columns, with_footnote
from resrank.reporting.tables.write import write_table
from resrank.reporting.token_marks import token_mark
from resrank.suite.resolved import Resolved

COUNTED = {
    "passage_encoder_tokens": "encoder tokens",
    "prompt_tokens": "prompt tokens",
    "embedding_slots": "embedding slots",
    "generated_tokens": "generated tokens",
    "model_calls": "calls",
}
COLUMNS = {
    **CANDIDATE_SET,
    "label": Column("system"),
    "candidates": Column("candidates", 1),
    **{name: Column(header, 1) for name, header in COUNTED.items()},
    "online_per_passage": Column("tokens/passage online", 1),
    "cached_per_passage": Column("cached", 1),
    "processed_pe_rank": Column("processed, PE-Rank's way", 1),
    "processed_resrank": Column("processed, ResRank's way", 1),
}
ESTIMATED = {
    "passage_encoder_tokens",
    "prompt_tokens",
    "generated_tokens",
    "online_per_passage",
    "cached_per_passage",
    "processed_pe_rank",
}
CAPTION = (
    "Means per query, over all test queries and seeds. Encoder tokens: read to embed the "
    "candidates, once each. Prompt tokens: text read at query time. Embedding slots: input "
    "positions filled with an embedding. Calls: forward passes over a list or window, or scored "
    "pairs. Tokens/passage: all tokens divided by the candidates; cached: without the encoder's. "
    "Processed, PE-Rank's way: prompt tokens and slots. ResRank's way: slots alone, – where "
    "passages are read as text. Both ways report generated tokens separately."
)


def write_tokens(resolved: Resolved, root: Path, title: str) -> list[Path]:
    """Write the table `tokens`. title: opens the caption."""
    rows = [
        _row(resolved, root, dataset, stage, system) for dataset, stage, system in resolved.listed
    ]
    frame = pd.DataFrame(rows)
    columns = marked_columns(COLUMNS, frame, ESTIMATED)
    caption = with_footnote(title + CAPTION, frame)
    return write_table(root / "tables", "tokens", frame, columns, ["collection"], caption)


def _row(resolved: Resolved, root: Path, dataset: str, stage: str, system: str) -> dict[str, Any]:
    usage = read_usage(resolved, root, dataset, stage, system)
    means = {name: float(usage[name].mean()) for name in ("candidates", *COUNTED)}
    length = means["candidates"] or 1.0
    return {
        "collection": dataset,
        "first_stage": stage,
        "system": system,
        "label": resolved.label(system),
        **means,
        "online_per_passage": tokens(means) / length,
        "cached_per_passage": tokens(means, cached=True) / length,
        "processed_pe_rank": processed_by_lm(means),
        "processed_resrank": processed_in_slots(means),
        **token_mark(read_tokenizers(resolved, root, dataset, stage, system)),
    }
