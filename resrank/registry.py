"""System kinds by name, imported only when asked for."""

from __future__ import annotations

from inspect import isabstract
from pathlib import Path
from typing import Any

from resrank.kinds import OWN, KindTable
from resrank.options import Strict
from resrank.reranker import Reranker
from resrank.reranker_options import RerankerOptions, TrainingOptions

KINDS: dict[str, str] = {
    "first_stage": "baselines.first_stage:FirstStageOrder",
    "bi_encoder": "baselines.bi_encoder:BiEncoder",
    "mono_t5": "baselines.mono_t5:MonoT5",
    "qwen3_reranker": "baselines.qwen3_reranker:Qwen3Reranker",
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


COLLECTIONS = KindTable(
    "collection",
    {
        "beir": "resrank.collections.beir:BeirCollection",
        "candidates": "resrank.collections.candidates:CandidatesCollection",
        "docstrings": "resrank.collections.docstrings:DocstringsCollection",
        "ir_datasets": "resrank.collections.ir_datasets:IrDatasetsCollection",
    },
)
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
            f"system kind {kind!r} is no reranker: let the class inherit from "
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
            f"system kind {kind!r}: let its `{name}` inherit from "
            f"`{base.__module__}.{base.__name__}`"
        )


def source_files(spec: Any) -> list[str]:
    """The files that a system's kind lives in, relative to the project: their hash is its jobs'.

    A kind is one file and its helpers beside it, named `<kind>_*.py`, or a folder of its own name,
    and `baselines/llm/` if it imports that; a system that holds another one in its options has that
    one's files too. A user's own module outside the project is left out if it is not found.
    """
    kind = spec["kind"] if isinstance(spec, dict) else spec.kind
    module = reference(kind).partition(":")[0]
    options = spec.get("options", {}) if isinstance(spec, dict) else spec.options
    main = Path(module.replace(".", "/") + ".py")
    mains = {Path(name.partition(":")[0].replace(".", "/") + ".py") for name in KINDS.values()}
    own = "*.py" if main.parent == Path("baselines", kind) else f"{main.stem}_*.py"
    files = [main, *sorted(set(main.parent.glob(own)) - mains)]
    if any("baselines.llm" in path.read_text("utf-8") for path in files if path.is_file()):
        shared = Path("baselines/llm").glob("**/*")
        files += sorted(p for p in shared if p.suffix in (".py", ".yaml"))
    nested = [v for v in options.values() if isinstance(v, dict) and _is_system(v.get("kind"))]
    found = [path.as_posix() for path in files if path.is_file()]
    return found + [file for part in nested for file in source_files(part)]


def _is_system(kind: object) -> bool:
    """Whether a kind that stands in options is a system's, not a language model's back end, say."""
    return isinstance(kind, str) and (kind in KINDS or OWN.fullmatch(kind) is not None)
