"""A table of ratios from pytest-benchmark's JSON: `python -m tests.benchmarks.ratios out.json`.

Each median is divided by that of the first benchmark in its group. The JSON has the absolute times
and the machine's name.
"""

import json
import sys
from pathlib import Path


def table(report: dict) -> str:
    processor = report["machine_info"]["cpu"]["brand_raw"]
    lines = [f"Processor: {processor}.", "", "| group | benchmark | time, as a multiple of the group's first |",
             "| :-- | :-- | --: |"]  # fmt: skip
    first: dict[str, float] = {}
    for item in sorted(report["benchmarks"], key=lambda item: item["group"]):
        median = item["stats"]["median"]
        base = first.setdefault(item["group"], median)
        name = item["name"].removeprefix("test_").replace("_", " ")
        lines.append(f"| {item['group']} | {name} | {median / base:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(json.loads(Path(sys.argv[1]).read_text())))
