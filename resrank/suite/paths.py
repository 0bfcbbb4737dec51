"""Where each file of a suite's results lies, and which job writes it.

Paths are text, relative to the working directory. The rules give wildcards in place of names, such
as `{system}`; `resrank job` gives the names themselves.
"""

from __future__ import annotations

import re


class Paths:
    """The files of one suite under the folder `out`."""

    def __init__(self, out: str) -> None:
        self.out = out
        self.suite_file = f"{out}/suite.yaml"
        self.store = f"{out}/embeddings/store"
        self.report_manifest = f"{out}/report.manifest.json"
        self.page = f"{out}/report/index.html"

    def fetch_completion(self, collection: str) -> str:
        """Return the completion file of fetching an optional collection; it says if that failed."""
        return f"{self.out}/fetched/{collection}.json"

    def collection(self, name: str) -> str:
        """Return a collection's folder."""
        return f"{self.out}/collections/{name}"

    def collection_manifest(self, name: str) -> str:
        """Return a collection's manifest, which is written last."""
        return f"{self.collection(name)}/manifest.json"

    def candidates(self, collection: str, first_stage: str) -> str:
        """Return a first stage's frozen lists."""
        return f"{self.out}/candidates/{collection}/{first_stage}.parquet"

    def embeddings(self, collection: str, encoder: str, shard: str = "") -> str:
        """Return the completion file of embedding a collection's candidates."""
        return _of_shard(f"{self.out}/embeddings/{collection}/{encoder}", shard) + ".json"

    def stage_embeddings(self, collection: str, first_stage: str, shard: str) -> str:
        """Return the completion file of a shard that embeds passages for a dense first stage."""
        return self.embeddings(collection, f"first_stages/{first_stage}", shard)

    def saved_model(self, system: str, seed: int | str) -> str:
        """Return the folder of a trained system's model."""
        return f"{self.out}/models/{system}/seed{seed}"

    def checkpoints(self, system: str, seed: int | str) -> str:
        """Return the folder of the state that a killed training resumes from."""
        return f"{self.out}/checkpoints/{system}/seed{seed}"

    def run(
        self, collection: str, first_stage: str, system: str, seed: int | str, shard: str = ""
    ) -> str:
        """Return a system's TREC run."""
        name = f"{self.out}/runs/{collection}/{first_stage}/{system}/seed{seed}"
        return _of_shard(name, shard) + ".trec"

    def teaching(
        self, collection: str, first_stage: str, system: str, seed: int | str, shard: str = ""
    ) -> str:
        """Return the run with which a system teaches others: training queries, with its scores."""
        name = f"{self.out}/teachers/{collection}/{first_stage}/{system}/seed{seed}"
        return _of_shard(name, shard) + ".trec"

    def teaching_store(self, run: str) -> str:
        """Return the folder of the passage embeddings that a teaching run's job makes and reads."""
        return f"{run.removesuffix('.trec')}.embeddings"

    def efficiency(self, collection: str, first_stage: str, system: str) -> str:
        """Return a system's measured costs."""
        return f"{self.out}/efficiency/{collection}/{first_stage}/{system}.json"

    def sensitivity(self, collection: str, first_stage: str, system: str) -> str:
        """Return how far a system's rankings move with batches, number formats and orders."""
        return f"{self.out}/sensitivity/{collection}/{first_stage}/{system}.json"

    def scores(self, collection: str, first_stage: str) -> str:
        """Return the scores of every run, per query."""
        return f"{self.out}/scores/{collection}/{first_stage}.parquet"

    def audits(self, collection: str, first_stage: str) -> str:
        """Return the audits that belong to the scores."""
        return f"{self.out}/audits/{collection}/{first_stage}.json"

    def statistics(self, collection: str, first_stage: str) -> str:
        """Return the significance tests between systems."""
        return f"{self.out}/statistics/{collection}/{first_stage}.json"

    def calibration(self, collection: str, first_stage: str) -> str:
        """Return the comparison of predicted grades with judged ones."""
        return f"{self.out}/calibration/{collection}/{first_stage}.json"

    def log(self, job: str, *names: str) -> str:
        """Return a job's log."""
        return "/".join([f"{self.out}/logs", job, *names]) + ".log"

    def benchmark(self, job: str, *names: str) -> str:
        """Return the file of a job's time and memory, which Snakemake writes."""
        return "/".join([f"{self.out}/benchmarks", job, *names]) + ".tsv"

    def job_for(self, path: str) -> str | None:
        """Return the words behind `resrank` of the job that writes a file; None if none does."""
        inside = path.removeprefix(f"{self.out}/")
        for pattern, words in WRITTEN_BY.items():
            if match := re.fullmatch(pattern, inside):
                return match.expand(words)
        return None


def _of_shard(name: str, shard: str) -> str:
    return f"{name}.shards/{shard}" if shard else name


PAIR_PATTERN = r"([^/]+)/([^/]+)"
PAIR_WORDS = r"--collection \1 --first-stage \2"
WRITTEN_BY = {
    r"collections/([^/]+)/manifest\.json": r"job collect --collection \1",
    rf"candidates/{PAIR_PATTERN}\.parquet": rf"job candidates {PAIR_WORDS}",
    r"embeddings/([^/]+)/first_stages/([^/]+)\.shards/(\d+of\d+)\.json":
        rf"job encode {PAIR_WORDS} --shard \3",
    r"embeddings/([^/]+)/([^/]+)\.shards/(\d+of\d+)\.json":
        r"job encode --collection \1 --encoder \2 --shard \3",
    r"embeddings/([^/]+)/([^/]+)\.json": r"job encode --collection \1 --encoder \2",
    r"models/([^/]+)/seed(\d+)\.manifest\.json": r"job train --system \1 --seed \2",
    rf"runs/{PAIR_PATTERN}/([^/]+)/seed(\d+)\.shards/(\d+of\d+)\.trec":
        rf"job rerank {PAIR_WORDS} --system \3 --seed \4 --shard \5",
    rf"runs/{PAIR_PATTERN}/([^/]+)/seed(\d+)\.trec":
        rf"job rerank {PAIR_WORDS} --system \3 --seed \4",
    rf"teachers/{PAIR_PATTERN}/([^/]+)/seed(\d+)\.shards/(\d+of\d+)\.trec":
        rf"job teach {PAIR_WORDS} --system \3 --seed \4 --shard \5",
    rf"teachers/{PAIR_PATTERN}/([^/]+)/seed(\d+)\.trec":
        rf"job teach {PAIR_WORDS} --system \3 --seed \4",
    rf"efficiency/{PAIR_PATTERN}/([^/]+)\.json": rf"job measure {PAIR_WORDS} --system \3",
    rf"sensitivity/{PAIR_PATTERN}/([^/]+)\.json": rf"job sensitivity {PAIR_WORDS} --system \3",
    rf"scores/{PAIR_PATTERN}\.parquet": rf"job score {PAIR_WORDS}",
    rf"audits/{PAIR_PATTERN}\.json": rf"job score {PAIR_WORDS}",
    rf"statistics/{PAIR_PATTERN}\.json": rf"job significance {PAIR_WORDS}",
    rf"calibration/{PAIR_PATTERN}\.json": rf"job calibration {PAIR_WORDS}",
}  # fmt: skip
"""Pattern of a path under `out` -> the command whose job writes it."""
