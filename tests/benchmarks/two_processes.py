"""Embed passages in one process and in two parallel shards, with one thread per process.

Run it as `python -m tests.benchmarks.two_processes`. The passages are docstrings; the shards are
those of a suite's `shards: 2`. All processes start together once their models are loaded, and the
slower one counts. Embeddings are compared byte for byte.
"""

import multiprocessing
import os
import tempfile
import time
from pathlib import Path

from resrank.shards import Shard

PASSAGES = 300
RUNS = 2


def embed(shard: Shard, texts: list[str], store: Path, ready, taken) -> None:
    """Embed a shard into a store; put its wall-clock and processor seconds into `taken`."""
    import torch

    from resrank.model.embedding_store import EmbeddingStore
    from resrank.model.encoder import Encoder
    from resrank.model.options import EncoderOptions

    torch.set_num_threads(1)
    encoder = Encoder.from_options(EncoderOptions(dtype="float32"))
    embeddings = EmbeddingStore(store, encoder)
    encoder.embed(texts[:8])
    ready.wait()
    clock, processor = time.perf_counter(), time.process_time()
    embeddings.fill(texts, shard)
    taken.put((time.perf_counter() - clock, time.process_time() - processor))


def in_processes(count: int, texts: list[str]) -> tuple[float, float, bytes]:
    """Return the slowest shard's wall-clock and processor seconds, and all embeddings in order."""
    context = multiprocessing.get_context("spawn")
    ready, taken = context.Barrier(count), context.Queue()
    with tempfile.TemporaryDirectory() as folder:
        stores = [Path(folder, str(n)) for n in range(count)]
        jobs = [
            context.Process(target=embed, args=(Shard(n, count), texts, store, ready, taken))
            for n, store in enumerate(stores)
        ]
        for job in jobs:
            job.start()
        seconds = [taken.get(timeout=300) for _ in jobs]
        for job in jobs:
            job.join()
        rows = b"".join(next(store.glob("*/rows.bin")).read_bytes() for store in stores)
    clocks, processors = zip(*seconds, strict=True)
    return max(clocks), max(processors), rows


def main() -> None:
    from resrank.collections.see_also import Objects

    objects = Objects()
    objects.add("numpy", 300)
    objects.add("scipy", 300)
    texts = sorted({doc.text for doc in objects.docs.values()})[:PASSAGES]
    print("| processes | wall clock, s | processor, s |\n| --: | --: | --: |")
    best: dict[int, tuple[float, float]] = {}
    rows = {}
    for _ in range(RUNS):  # alternate, so that other work on the machine affects both
        for count in (1, 2):
            clock, processor, rows[count] = in_processes(count, texts)
            best[count] = min(best.get(count, (clock, processor)), (clock, processor))
    for count, (clock, processor) in best.items():
        print(f"| {count} | {clock:.2f} | {processor:.2f} |")
    gain = [one / two for one, two in zip(best[1], best[2], strict=True)]
    same = "the same bytes" if rows[1] == rows[2] else "OTHER bytes"
    print(f"\n{len(texts)} passages, the best of {RUNS} runs: {gain[0]:.2f} times as fast by wall "
          f"clock, {gain[1]:.2f} by processor time; {same}. "
          f"Load average: {os.getloadavg()[0]:.1f}.")  # fmt: skip


if __name__ == "__main__":
    main()
