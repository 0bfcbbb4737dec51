"""resrank: a reproducibility harness for LLM rerankers, and ResRank itself.

`from resrank import ResRank, ResRankOptions` loads torch; `import resrank` alone does not.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resrank.model.resrank import ResRank, ResRankOptions

__all__ = ["ResRank", "ResRankOptions"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from resrank.model.resrank import ResRank, ResRankOptions

        return {"ResRank": ResRank, "ResRankOptions": ResRankOptions}[name]
    raise AttributeError(f"module 'resrank' has no attribute {name!r}")
