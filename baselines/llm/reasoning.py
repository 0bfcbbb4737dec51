"""The reasoning that a model writes before its answer, in the forms that published models use."""

from __future__ import annotations

import re

BLOCKS = {
    "<think>": "</think>",  # DeepSeek-R1, Qwen3, QwQ, Nemotron, SmolLM3, GLM, MiniMax
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",  # EXAONE Deep
    "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>",  # Seed-OSS
    "<longcat_think>": "</longcat_think>",
    "[THINK]": "[/THINK]",  # Magistral
    "◁think▷": "◁/think▷",  # Kimi
    "<|START_THINKING|>": "<|END_THINKING|>",  # Command A Reasoning
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|channel|>analysis<|message|>": "<|channel|>final<|message|>",  # gpt-oss
    "<|channel>thought": "<channel|>",  # Gemma 4
    "<unused94>thought": "<unused95>",  # MedGemma
    "<|inner_prefix|>": "<|inner_suffix|>",  # Apertus
    "Here is my thought process:": "Here is my response:",  # Granite 3.2
    "Here are my reasoning steps:": "[BEGIN FINAL RESPONSE]",  # Apriel
}
"""The start of a reasoning block -> its end."""
SPOKEN = "analysis", "assistantfinal"  # gpt-oss, if the special tokens are left out
START = re.compile("|".join([*map(re.escape, BLOCKS), rf"\A{SPOKEN[0]}(?=[A-Z])"]), re.IGNORECASE)
END = re.compile("|".join(map(re.escape, [*BLOCKS.values(), SPOKEN[1]])), re.IGNORECASE)
WRAPPER = re.compile(
    r"<(answer|response|\|begin_of_solution\|)>(?P<answer>.*?)"  # ERNIE; Sky-T1, OpenThinker
    r"(?:</(answer|response)>|<\|end_of_solution\|>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
AFTER = re.compile(r"\[END FINAL RESPONSE\].*", re.DOTALL)  # Apriel


def without_reasoning(text: str) -> str:
    """Return what follows the last reasoning block, without tags around it such as `<answer>`.

    A block without a start began in the prompt. Nothing follows a block without an end.
    """
    last = END.split(text)[-1]
    if start := START.search(last):
        last = last[: start.start()]
    wrapped = [str(match["answer"]) for match in WRAPPER.finditer(last)]
    return wrapped[-1] if wrapped else AFTER.sub("", last)
