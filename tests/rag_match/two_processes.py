"""Train the three stages over all processes of a launcher; the main process logs.

Arguments: its folder, the language model's options as JSON.
"""

import json
import sys
from pathlib import Path

from baselines.rag_match.options import JudgeOptions, JudgeTraining
from baselines.rag_match.reranker import RagMatch
from resrank.reranker import TrainingData, TrainingJob
from resrank.training.processes import processes
from tests.rag_match.examples import examples

folder = Path(sys.argv[1])
given = {"llm": json.loads(sys.argv[2]), "instruction": "", "words": 8, "max_new_tokens": 8}
rate = {"learning_rate": 1e-4}
training = {
    "document_words": 6,
    "autocast": False,
    "knowledge": {"batch_queries": 5, **rate},  # The processes' shares have different sizes.
    "alignment": {"share": [0, 0.7], "batch_pairs": 5, "pairs": 3, "traced": 0, **rate},
    "calibration": {"batch_pairs": 5, "pairs": 6, "label_on": "all", **rate},
}
rows = []
RagMatch.train(
    JudgeOptions.model_validate(given), JudgeTraining.model_validate(training), TrainingData(examples()),
    folder / "model", TrainingJob(folder / "store", folder / "checkpoints", "key", rows.append, seed=1),
)  # fmt: skip
if processes().is_main:
    about = json.loads((folder / "model" / "provenance.json").read_text())
    (folder / "log.json").write_text(json.dumps({"rows": rows, "about": about}))
