"""Savings from a prefix that a query's windows share: `python -m tests.benchmarks.prefix`.

The windows of a query begin alike, because instruction and query precede the passages. Their keys
and values could be computed once and reused. This script completes windows of docstrings one after
another, with and without such a cache, by a model with random weights. It prints the share of a
prompt that is common, the time with the cache as a multiple of the time without (medians), and
whether every generated token is the same.
"""

import copy
import logging
import statistics
import time

import torch
from transformers import DynamicCache

from baselines.llm.backends.transformers import TransformersModel
from baselines.llm.options import TransformersOptions
from baselines.llm.prompts.template import template
from resrank.collections.see_also import Objects
from resrank.io.environment import processor
from resrank.windows import Window, spans

QUERY = "compute the shortest paths between all nodes of a weighted graph"
PROMPTS = {
    "rankgpt": 20,
    "rankvicuna": 20,
    "rankzephyr": 20,
    "short": 20,
    "first": 20,
    "setwise": 4,
}
LENGTHS = (1, 8)
REPEATS = 3
WORDS = 60  # per passage, about MS MARCO's mean


def shared(rows: list[list[int]]) -> int:
    """Return how many tokens at the start are the same in all rows."""
    return next(i for i, column in enumerate(zip(*rows, strict=False)) if len(set(column)) > 1)


def completed(model, row, length, cache):
    """Return an answer's tokens; `cache` holds the keys and values of the prompt's start, or None."""
    ids = torch.tensor([row])
    out = model.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=length,
        min_new_tokens=length, do_sample=False, pad_token_id=model.pad, past_key_values=cache,
    )  # fmt: skip
    return out[0, len(row) :].tolist()


def reusing(model, rows, length, start):
    """Return the answers to windows that share the keys and values of their first tokens."""
    cache = DynamicCache(config=model.model.config)
    first = torch.tensor([rows[0][:start]])
    model.model.base_model(input_ids=first, past_key_values=cache, use_cache=True)
    return [completed(model, row, length, copy.deepcopy(cache)) for row in rows]


def timed(run):
    start = time.perf_counter()
    return run(), time.perf_counter() - start


@torch.inference_mode()
def main() -> None:
    options = {"kind": "transformers", "model": {"layers": 4}, "dtype": "float32"}
    logging.disable()  # silences the tokenizer's warning about long texts
    model = TransformersModel(TransformersOptions.model_validate(options))
    objects = Objects()
    objects.add("networkx", 100)
    texts = [doc.text for _, doc in sorted(objects.docs.items())][:100]
    print(f"Processor: {processor()}, {torch.get_num_threads()} threads; 4 layers, float32.\n")
    print("| prompt | tokens | shared | answer | time with a shared prefix | same tokens |")
    print("| :-- | --: | --: | --: | --: | :-- |")
    for name, size in PROMPTS.items():
        cuts = spans(len(texts), Window(size=size, step=size // 2))
        windows = [texts[start:end] for start, end in cuts][:2]
        prompt_template = template(name)
        rows = model.tokenize([prompt_template.build(QUERY, window, WORDS) for window in windows])
        start, mean = shared(rows), statistics.mean(map(len, rows))
        for length in LENGTHS:
            ratios, same = [], True
            for _ in range(REPEATS):
                plain, without = timed(
                    lambda r=rows, n=length: [completed(model, i, n, None) for i in r]
                )
                again, reused = timed(lambda r=rows, n=length, s=start: reusing(model, r, n, s))
                same &= plain == again
                ratios.append(reused / without)
            print(
                f"| {name} | {mean:,.0f} | {start / mean:.1%} | {length} | "
                f"{statistics.median(ratios):.2f} | {'yes' if same else 'no'} |", flush=True,
            )  # fmt: skip


if __name__ == "__main__":
    main()
