"""Peak memory, each figure from a separate process.

The figure is VmHWM, because a new process's getrusage starts at its parent's peak.
"""

import os
import subprocess
import sys

from tests.conftest import ROOT

TRAIN = """
import sys, tempfile
from pathlib import Path
from resrank.model.options import ResRankOptions
from resrank.records import Candidate, Passage, Query, TrainingExample
from resrank.reranker import TrainingData, TrainingJob
from resrank.resrank_reranker import ResRankSystem
from resrank.training.options import ResRankTraining

length = int(sys.argv[1])
words = " ".join(f"number {i}" for i in range(30))
listed = [Candidate(Passage(f"p{i}", f"{i} {words}"), 0.0) for i in range(length)]
example = TrainingExample(Query("q", "a number"), listed, {"p3": 1}, [listed[3].passage])
options = ResRankOptions.model_validate(
    {"encoder": {"dtype": "float32", "max_tokens": 64}, "reranker": {"layers": 2}}
)
stage = {"list_length": length, "train_encoder": True}
with tempfile.TemporaryDirectory() as folder:
    here = Path(folder)
    ResRankSystem.train(
        options, ResRankTraining(stages=(stage,), chunk_tokens=1024), TrainingData([example]), here / "out",
        TrainingJob(here / "store", here / "state", "key", seed=1),
    )
"""
SEARCH = """
import sys
import numpy as np
from resrank.candidates.nearest import nearest

class Rows:
    def __init__(self, path):
        self.vectors = np.memmap(path, np.float32, "r").reshape(-1, 384)
    def at(self, rows):
        return self.vectors[rows]

index = Rows(sys.argv[1])
scores, places = nearest(np.array(index.vectors[:64]), index, np.arange(len(index.vectors)), 100)
assert (places[:, 0] == np.arange(64)).all()
anonymous = [line.split()[1] for line in open("/proc/self/status") if line.startswith("RssAnon")]
assert int(anonymous[0]) < 400_000, f"{anonymous[0]} kB beside the mapped file"
"""
PEAK = """
print(*[line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")])
"""


def peak_mb(program, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", program + PEAK, *arguments], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout.split()[-1]) / 1024


def test_longer_lists_take_no_more_memory_to_train_on():
    short, long = peak_mb(TRAIN, "20"), peak_mb(TRAIN, "100")
    print(f"peak: {short:.0f} MB with lists of 20, {long:.0f} MB with lists of 100")
    assert long < 1.25 * short


def test_a_million_embeddings_are_searched_in_bounded_memory(tmp_path):
    """Peak memory is under 2.5 GB, and most of it is the mapped file."""
    import numpy as np

    rng = np.random.default_rng(1)
    block = rng.standard_normal((100_000, 384), np.float32)
    block /= np.linalg.norm(block, axis=1, keepdims=True)
    path = tmp_path / "vectors.bin"
    with path.open("wb") as file:
        for i in range(10):
            file.write((np.roll(block, i, axis=1) if i else block).tobytes())
    del block
    peak = peak_mb(SEARCH, str(path))
    print(f"peak: {peak:.0f} MB for 1,000,000 embeddings of {path.stat().st_size / 2**20:.0f} MB")
    assert peak < 2500
