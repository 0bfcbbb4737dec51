"""Bootstrap intervals over queries: of means, of percentiles, and of differences over seeds too.

Every function starts a generator with the same seed, so draws are the same in every run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from resrank.evaluation.resampling import NOISE, RESAMPLES, Values, batch_size, mean_over

CONFIDENCE = 0.95
SEED = 0


def mean_intervals(values: Values) -> Values:
    """Return the 95% interval of each row's mean over queries; (rows, queries) -> (rows, 2).

    Bias-corrected and accelerated (Efron, 1987), computed by scipy. The draws are the same for
    every row. A row of equal values has its mean as both ends. The ends are not a number where the
    resamples do not suffice for the correction.
    """
    from scipy.stats import bootstrap

    intervals = np.repeat(values.mean(axis=-1)[:, None], 2, axis=1)
    varied = np.ptp(values, axis=-1) > NOISE
    if varied.any():
        rows = values[varied]
        result = bootstrap(
            (rows,),
            mean_over,
            n_resamples=RESAMPLES,
            batch=batch_size(rows),
            vectorized=True,
            axis=-1,
            confidence_level=CONFIDENCE,
            rng=np.random.default_rng(SEED),
        )
        intervals[varied] = np.stack(result.confidence_interval, axis=-1)
    return intervals


def interval_over_collections(samples: Sequence[Values]) -> tuple[float, float]:
    """Return the 95% percentile interval of the mean of several collections' means.

    samples: one array (queries,) per collection. Each collection is resampled separately and has
    the same weight, whatever its number of queries.
    """
    rng = np.random.default_rng(SEED)
    means = np.zeros(RESAMPLES)
    for values in samples:
        batches = [batch.mean(axis=-1) for batch in resampled(values, RESAMPLES, rng)]
        means += np.concatenate(batches) / len(samples)
    low, high = central_interval(means)
    return float(low), float(high)


def interval_over_seeds(one: Values, other: Values, paired: bool) -> tuple[float, float]:
    """Return the 95% percentile interval of a difference of means over queries and over seeds.

    one, other: two systems' values, (seeds, queries), over the same queries. paired: whether they
    have the same seeds, which are then drawn together. Queries and seeds are resampled
    independently of each other, the pigeonhole bootstrap (Owen, 2007, Annals of Applied Statistics
    1(2)).
    """
    rng = np.random.default_rng(SEED)
    means = []
    for size in batch_sizes(one[0], RESAMPLES):
        ours = seed_weights(len(one), size, rng)
        theirs = ours if paired else seed_weights(len(other), size, rng)
        drawn = rng.integers(one.shape[-1], size=(size, one.shape[-1]))
        differences = ours @ one - theirs @ other
        means.append(np.take_along_axis(differences, drawn, axis=-1).mean(axis=-1))
    low, high = central_interval(np.concatenate(means))
    return float(low), float(high)


def seed_weights(seeds: int, resamples: int, rng: np.random.Generator) -> Values:
    """Return the weight of each seed in each resample of the seeds; (resamples, seeds)."""
    return rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples) / seeds


def percentile_intervals(values: Values, points: Sequence[float], resamples: int) -> Values:
    """Return the 95% percentile interval of each percentile of a sample.

    values: (queries,). points: percentiles from 0 to 100. Returns (points, 2).
    """
    rng = np.random.default_rng(SEED)
    batches = [np.percentile(batch, points, axis=1) for batch in resampled(values, resamples, rng)]
    return central_interval(np.concatenate(batches, axis=1)).T


def resampled(values: Values, resamples: int, rng: np.random.Generator) -> Iterator[Values]:
    """Yield resamples with replacement in batches that fit in memory; (batch, queries) each."""
    for size in batch_sizes(values, resamples):
        yield values[rng.integers(len(values), size=(size, len(values)))]


def batch_sizes(values: Values, resamples: int) -> Iterator[int]:
    """Yield the sizes of the batches that resamples of these values are drawn in."""
    size = batch_size(values)
    for start in range(0, resamples, size):
        yield min(size, resamples - start)


def central_interval(statistics: Values) -> Values:
    """Return the bounds of the central 95% along the last axis; (..., resamples) -> (2, ...)."""
    tail = (1 - CONFIDENCE) / 2
    return np.asarray(np.quantile(statistics, [tail, 1 - tail], axis=-1))
