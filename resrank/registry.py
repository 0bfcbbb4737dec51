"""System kinds by name, imported only when asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resrank.kinds import OWN, KindTable

KINDS: dict[str, str] = {
    "first_stage": "baselines.first_stage:FirstStage",
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
SYSTEMS = KindTable("system", KINDS)


def reference(kind: str) -> str:
    """Return the `module:Class` of a system's kind."""
    return SYSTEMS.reference(kind)


def resolve(kind: str) -> Any:
    """Return the class of a system's kind. Its module imports torch only when it is built."""
    return SYSTEMS.resolve(kind)


def encoder_of(
    kind: str,
    options: Mapping[str, Any],
    training: Mapping[str, Any] | None = None,
    model_dir: str | None = None,
) -> Any:
    """The `EncoderOptions` of a system whose passage embeddings can be stored; else None.

    training, model_dir: of a trained system, whose own encoder may lie in its folder.
    """
    cls = resolve(kind)
    if not hasattr(cls, "encoder_options"):
        return None
    trained = None if training is None else cls.Training.model_validate(training)
    return cls.encoder_options(cls.Options.model_validate(options), trained, model_dir)


def option_files(kind: str, options: Mapping[str, Any]) -> list[Path]:
    """The user's own files that a system's options name, a prompt or a transcript say."""
    return list(getattr(resolve(kind).Options.model_validate(options), "files", []))


def grades_given(kind: str) -> int | None:
    """How many grades a kind judges in; None if it gives none."""
    number: int | None = getattr(resolve(kind), "grades", None)
    return number


def asks_endpoint(kind: str, options: Mapping[str, Any]) -> bool:
    """Whether a system's answers come from an endpoint, which is not asked again to be timed."""
    return bool(getattr(resolve(kind).Options.model_validate(options), "asks_endpoint", False))


def is_replayed(kind: str, options: Mapping[str, Any]) -> bool:
    """Whether a system's answers come from a transcript: no model is asked, nothing is timed."""
    return bool(getattr(resolve(kind).Options.model_validate(options), "is_replayed", False))


def reads_lists(kind: str) -> bool:
    """Whether a kind ranks a list as a whole or by windows, not each passage by itself."""
    return "window" in resolve(kind).Options.model_fields


def training_files(kind: str, training: Mapping[str, Any] | None) -> list[Path]:
    """The user's own files that a system's training reads, a teacher's orderings say."""
    if training is None:
        return []
    return list(getattr(resolve(kind).Training.model_validate(training), "files", []))


def asks_dev(kind: str, training: Mapping[str, Any] | None) -> bool:
    """Whether a system is scored on dev queries while it is trained."""
    if training is None:
        return False
    own = resolve(kind).Training.model_validate(training)
    return any(getattr(stage, "dev_queries", 0) for stage in getattr(own, "stages", (own,)))


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
