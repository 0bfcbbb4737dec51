"""Train a listwise language model on windows whose correct order is given.

It learns to write the order (RankVicuna, arXiv 2309.15088, section 3) and, where the first
identifier's logits are to rank a window, those logits by RankNet too (FIRST, section 3.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from baselines.llm.backends.transformers import TransformersModel
from baselines.llm.listwise_options import ListwiseTraining, PromptOptions
from baselines.llm.listwise_prompts import fit_prompt
from baselines.llm.options import TransformersOptions
from baselines.llm.prompts.template import LETTERS, Template, template
from resrank.io.atomic import atomic_folder, write_json
from resrank.model.device import autocast, set_seeds
from resrank.records import TrainingExample
from resrank.reranker import TrainingJob
from resrank.training.list_loop import ListPhase, fit_lists
from resrank.training.lists import TrainingList
from resrank.training.lora import recompute_layers, with_adapters
from resrank.training.losses import ranknet
from resrank.training.options import TrainingStage
from resrank.training.processes import processes


def train_listwise(
    llm: TransformersOptions,
    prompting: PromptOptions,
    training: ListwiseTraining,
    examples: Sequence[TrainingExample],
    out: Path,
    job: TrainingJob,
) -> None:
    """Train a language model and write it under `out`, loadable by the folder's name."""
    set_seeds(job.seed)
    model = TransformersModel(llm.model_copy(update={"dtype": "float32"}), job.seed)
    ranking_weight = training.letter_weight
    letters = LETTERS[: training.list_length] if ranking_weight else ""
    losses = WindowLosses(
        model,
        template(prompting.prompt),
        prompting.words,
        training.autocast,
        ranking_weight,
        [model.token_after("[", letter) for letter in letters],
    )
    counts = _fit(model, losses, training, examples, job)
    if not processes().is_main:
        return
    with atomic_folder(out) as folder:
        model.model.save_pretrained(folder)
        model.tokenizer.save_pretrained(folder)
        about = {"seed": job.seed, "training": training.model_dump(mode="json"), **counts}
        write_json(folder / "provenance.json", about)


class WindowLosses:
    """Adds the gradients of a batch of windows.

    ranking_weight: weight of RankNet on the letters' logits at the first identifier; 0: none.
    """

    def __init__(
        self,
        model: TransformersModel,
        template: Template,
        words: int | None,
        mixed: bool | None,
        ranking_weight: float = 0.0,
        letters: Sequence[int] = (),
    ) -> None:
        self.llm = model
        self.template = template
        self.words = words
        self.mixed = mixed
        self.ranking_weight = ranking_weight
        self.letters = list(letters)
        self.decoder = model.model.base_model
        self.head: nn.Module = model.model.get_output_embeddings()
        self.run = processes()

    def __call__(self, batch: Sequence[TrainingList]) -> dict[str, float]:
        """Return the losses by name; add gradients to the model's parameters."""
        names = ["writing", "ranking"][: 1 + bool(self.ranking_weight)]
        total = torch.zeros(len(names), device=self.llm.device)
        for item in self.run.share(batch):
            with autocast(self.mixed, self.llm.device):
                losses = self._losses(item) / len(batch)
            weights = losses.new_tensor([1.0, self.ranking_weight][: len(names)])
            (losses * weights).sum().backward()  # type: ignore[no-untyped-call]
            total += losses.detach()
        return dict(zip(names, self.run.add_up(total).tolist(), strict=True))

    def _losses(self, item: TrainingList) -> Tensor:
        """Return cross-entropy of the written order, and RankNet of the first letter's logits.

        Shape: (1,) without RankNet, else (2,).
        """
        ids, start, order = self.target(item)
        inputs = torch.tensor([ids], device=self.llm.device)
        hidden = self.decoder(input_ids=inputs, use_cache=False).last_hidden_state[0]
        logits = self.head(hidden[start - 1 : -1]).float()
        losses = [nn.functional.cross_entropy(logits, inputs[0, start:])]
        if self.ranking_weight:
            after_bracket = ids.index(self.letters[order[0]], start) - start
            letters = logits[after_bracket, self.letters[: len(order)]]
            grades = torch.tensor(item.grades, device=logits.device)
            losses.append(ranknet(letters, grades, by_rank=True))
        return torch.stack(losses)

    def target(self, item: TrainingList) -> tuple[list[int], int, list[int]]:
        """Return token ids of prompt and correct answer, the answer's start, and its places."""
        order = sorted(range(len(item.grades)), key=lambda place: -item.grades[place])
        names = LETTERS if self.template.by_letter else range(1, len(order) + 1)
        answer = " > ".join(f"[{names[place]}]" for place in order)
        written = self.llm.tokenizer(answer, add_special_tokens=False)["input_ids"]
        words = self.words or self.template.words
        longest = len(written) + 2  # the end token, and one that joining may add
        prompt, _ = fit_prompt(self.template, item.query, item.texts, words, longest, self.llm)
        (before,) = self.llm.tokenize([prompt])
        (whole,) = self.llm.tokenize([prompt], opening=answer)
        pairs = enumerate(zip(before, whole, strict=False))
        start = next((i for i, (a, b) in pairs if a != b), len(before))
        return [*whole, int(self.llm.tokenizer.eos_token_id)], start, order


def _fit(
    model: TransformersModel,
    losses: WindowLosses,
    training: ListwiseTraining,
    examples: Sequence[TrainingExample],
    job: TrainingJob,
) -> dict[str, Any]:
    """Fit the model in place; return the numbers of queries used and skipped."""
    stage = TrainingStage(
        teacher=training.teacher,
        labels=training.labels,
        share=training.share,
        list_length=training.list_length,
        order=training.order,
        batch_queries=training.batch_queries,
    )
    lm = model.model
    table = lm.get_input_embeddings().weight
    if training.gradient_checkpointing:
        recompute_layers(lm)
    if training.lora is not None:
        model.model = lm = with_adapters(lm, training.lora)
    rates = {
        name: training.learning_rate
        for name, parameter in lm.named_parameters()
        if parameter is not table and (training.lora is None or "lora_" in name)
    }
    phase = ListPhase("windows", rates, training, stage, backward=losses, mixed=training.autocast)
    counts = fit_lists(lm, phase, examples, job)
    if training.lora is not None:
        model.model = lm.merge_and_unload()
    model.model.eval()
    return counts
