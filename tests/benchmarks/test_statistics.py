"""Time and memory of a suite's statistics: `pytest tests/benchmarks/test_statistics.py --dist=no --benchmark-enable -s`.

They may take at most 60 s and 2 GB.
"""

import resource

import numpy as np

from resrank.evaluation.all_pairs import statistics

SYSTEMS, COLLECTIONS, SEEDS, QUERIES = 10, 10, 3, 300


def rows():
    rng = np.random.default_rng(0)
    for system in range(SYSTEMS):
        for seed in range(SEEDS):
            for query, value in enumerate(rng.beta(2, 2 + 0.1 * system, QUERIES)):
                yield f"s{system}", seed, f"{query:04}", "nDCG@10", float(value)


def test_all_statistics_of_a_suite(benchmark):
    benchmark.group = f"statistics: {SYSTEMS} systems x {COLLECTIONS} collections x {SEEDS} seeds x {QUERIES} queries"
    scores = list(rows())

    collections = COLLECTIONS if benchmark.enabled else 1

    def suite():
        return [statistics(scores, "nDCG@10") for _ in range(collections)]

    results = benchmark.pedantic(suite, rounds=1)
    assert len(results[0]["pairs"]) == 45
    if benchmark.enabled:
        gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"\n{benchmark.stats.stats.median:.1f} s, {gigabytes:.2f} GB at the peak")
        assert benchmark.stats.stats.median <= 60
        assert gigabytes <= 2
