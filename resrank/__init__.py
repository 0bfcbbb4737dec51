"""resrank: a reproducibility harness for LLM rerankers, and ResRank itself.

`from resrank import ResRank` loads torch; `import resrank` alone does not.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resrank.model.resrank import ResRank

__all__ = ["ResRank"]


def __getattr__(name: str) -> Any:
    if name == "ResRank":
        from resrank.model.resrank import ResRank

        return ResRank
    raise AttributeError(f"module 'resrank' has no attribute {name!r}")
