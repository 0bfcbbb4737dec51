"""Claims of config/claims, judged by the results in a suite's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from resrank.evaluation.claims import Claim, Source
from resrank.evaluation.verdicts import Judgement, judge
from resrank.io.shipped_files import shipped
from resrank.io.yaml import ConfigError, read_source
from resrank.reporting.claimed_results import NotComparable, NotRun, measured


def read_claims(folder: Path | None = None) -> dict[str, tuple[str, Claim]]:
    """Return every claim by name, with its source.

    folder: config/claims/ if None. Raises ConfigError if the folder has no claims or two claims
    share a name.
    """
    folder = folder or shipped("claims")
    claims: dict[str, tuple[str, Claim]] = {}
    for source in read_sources(folder):
        for name, claim in source.claims.items():
            if name in claims:
                raise ConfigError(f"{folder}: two files have a claim {name!r}; rename one of them")
            claims[name] = (source.source, claim)
    if not claims:
        raise ConfigError(f"no claims in {folder}; it should hold <source>.yaml files")
    return claims


def read_sources(folder: Path | None = None) -> list[Source]:
    """Return every source, by the name of its file. folder: config/claims/ if None."""
    folder = folder or shipped("claims")
    return [read_source(Source, path) for path in sorted(folder.glob("*.yaml"))]


def judge_all(root: Path) -> pd.DataFrame:
    """Return one row per claim. Raises FileNotFoundError if `root` holds no scores."""
    if not any(root.glob("scores/*/*.parquet")):
        raise FileNotFoundError(
            f"no scores under {root}; --root is the folder results/<suite> of a suite that has run"
        )
    rows = [_row(name, source, claim, root) for name, (source, claim) in read_claims().items()]
    return pd.DataFrame(rows)


def _row(name: str, source: str, claim: Claim, root: Path) -> dict[str, Any]:
    judgement, stage = verdict(claim, root)
    return {
        "claim": name,
        "system": claim.system,
        "conditions": claim.conditions,
        "first_stage": stage,
        "prompt": claim.prompt_hash and f"{claim.prompt} ({claim.prompt_hash[:8]})",
        "quantity": claim.quantity,
        "published": claim.value,
        **judgement._asdict(),
        "source": f"{source}: {claim.where}",
        "tolerance_from": claim.tolerance_from,
    }


def verdict(claim: Claim, root: Path) -> tuple[Judgement, str | None]:
    """Return the judgement of the first of a claim's results that is present, and its first stage.

    Results that are not comparable with the claim give that verdict if no other one is present.
    """
    missing, unlike = [claim.not_run] if claim.not_run else [], []
    for result in claim.results:
        try:
            judgement = judge(claim, measured(claim, result, root))
            return judgement, f"{result.first_stage}, {result.depth}"
        except NotComparable as reason:
            unlike.append(str(reason))
        except NotRun as reason:
            missing.append(str(reason))
    if unlike:
        return Judgement(f"not comparable ({'; '.join(unlike)})"), None
    return Judgement(f"not run ({'; '.join(missing)})"), None
