"""Estimate of a suite's GPU hours and disk space, as lines of text."""

from __future__ import annotations

from resrank.efficiency.assumptions import Assumptions
from resrank.reporting.plan.format import gigabytes_text, hours_text, total_text
from resrank.reporting.plan.needs import Needs, index_needs, indexed_stages, model_bytes, needs
from resrank.suite.resolved import Resolved


def estimate(resolved: Resolved, assumed: Assumptions) -> list[str]:
    """Return the assumptions, each system's needs, and the totals, one per line."""
    names = dict.fromkeys([*resolved.trained, *resolved.teachers, *resolved.suite.systems])
    by_system = {name: needs(resolved, name, assumed) for name in names}
    by_stage = {stage: index_needs(resolved, stage, assumed) for stage in indexed_stages(resolved)}
    return [
        _assumptions(assumed),
        *(_system_line(resolved, name, needed) for name, needed in by_system.items()),
        *(
            f"  first stage {stage}: embedding every passage {hours_text(hours)}, "
            f"{gigabytes_text(size)}"
            for stage, (hours, size) in by_stage.items()
        ),
        *_totals(resolved, list(by_system.values()), list(by_stage.values())),
    ]


def _assumptions(assumed: Assumptions) -> str:
    device = assumed.peak
    return (
        f"Upper estimate: {assumed.device}, {device.flops / 1e12:.0f} TFLOP/s and "
        f"{device.bandwidth / 1e12:.2f} TB/s by its data sheet, {assumed.utilisation:.0%} of it "
        f"used; {assumed.passage_tokens} tokens per passage, {assumed.query_tokens} per query:"
    )


def _system_line(resolved: Resolved, name: str, needed: Needs) -> str:
    parts = [f"reranking {hours_text(needed.reranking)}"]
    if resolved.systems[name].training is not None:
        parts.insert(0, f"training {hours_text(needed.training)}")
        parts.append(f"saved models {gigabytes_text(needed.saved)}")
    if needed.embeddings != 0:
        parts.append(f"embeddings {gigabytes_text(needed.embeddings)}")
    return f"  {name}: {', '.join(parts)}"


def _totals(
    resolved: Resolved,
    by_system: list[Needs],
    by_stage: list[tuple[float | None, float | None]],
) -> list[str]:
    hours = [value for needed in by_system for value in (needed.training, needed.reranking)]
    hours += [spent for spent, _ in by_stage]
    disk = [value for needed in by_system for value in (needed.saved, needed.embeddings)]
    disk += [size for _, size in by_stage]
    models = model_bytes(resolved)
    return [
        f"  total: {total_text(hours, hours_text)}; {total_text(disk, gigabytes_text)}, and",
        f"  models to load, at 2 bytes per parameter: {total_text(models, gigabytes_text)}",
    ]
