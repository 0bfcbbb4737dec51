"""System kinds by name, imported only when asked for."""

from __future__ import annotations

from inspect import isabstract
from typing import Any

from resrank.kinds import KindTable
from resrank.options import Strict
from resrank.reranker import Reranker
from resrank.reranker_options import RerankerOptions, TrainingOptions

KINDS: dict[str, str] = {
    "first_stage": "baselines.first_stage:FirstStageOrder",
    "bi_encoder": "baselines.bi_encoder:BiEncoder",
    "mono_t5": "baselines.mono_t5:MonoT5",
    "qwen3_reranker": "baselines.qwen3_reranker:Qwen3Reranker",
    "yes_no": "baselines.yes_no:YesNo",
    "e2rank": "baselines.e2rank.reranker:E2Rank",
    "first": "baselines.first:First",
    "setwise": "baselines.setwise:Setwise",
    "icr": "baselines.icr.reranker:ICR",
    "pe_rank": "baselines.pe_rank.reranker:PERank",
    "rankgpt": "baselines.rankgpt:RankGPT",
    "rag_match": "baselines.rag_match.reranker:RagMatch",
    "rank_fusion": "baselines.rank_fusion:RankFusion",
    "cross_encoder": "baselines.cross_encoder.reranker:CrossEncoder",
    "resrank": "resrank.resrank_reranker:ResRankSystem",
    "resrank_saved": "resrank.resrank_reranker:SavedResRank",
}

SYSTEMS = KindTable("system", KINDS)


def reference(kind: str) -> str:
    """Return the `module:Class` of a system's kind."""
    return SYSTEMS.reference(kind)


def resolve(kind: str) -> type[Reranker]:
    """Return the class of a system's kind. Its module imports torch only when it is built.

    Raises ValueError if there is no such class, or if it does not follow the contract.
    """
    cls: Any = SYSTEMS.resolve(kind)
    if not (isinstance(cls, type) and issubclass(cls, Reranker)):
        raise ValueError(
            f"system kind {kind!r} is not a reranker: make the class inherit from "
            "`resrank.reranker.Reranker` and define `rerank_many`"
        )
    if isabstract(cls):
        missing = ", ".join(sorted(cls.__abstractmethods__))
        raise ValueError(f"system kind {kind!r} does not define {missing}")
    _check_section(kind, "Options", cls.Options, RerankerOptions)
    if cls.Training is not None:
        _check_section(kind, "Training", cls.Training, TrainingOptions)
    return cls


def _check_section(kind: str, name: str, section: Any, base: type[Strict]) -> None:
    if not (isinstance(section, type) and issubclass(section, base)):
        raise ValueError(
            f"system kind {kind!r}: make its `{name}` inherit from "
            f"`{base.__module__}.{base.__name__}`"
        )
