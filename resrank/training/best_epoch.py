"""Early stopping: the weights of the epoch with the best dev score."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import nn

from resrank.training.checkpoints import Checkpoints
from resrank.training.processes import processes


class BestEpoch:
    """Scores each epoch, keeps the best one's weights on disk, and says when to stop.

    `state` is plain text values, so that a checkpoint can hold it.
    """

    def __init__(
        self, phase: str, evaluate: Callable[[], float] | None, patience: int, kept: Checkpoints
    ) -> None:
        self.phase = f"{phase} best"
        self.evaluate = evaluate
        self.patience = patience
        self.kept = kept
        self.state = {"best_score": "-inf", "epochs_since": "0"}

    @property
    def is_over(self) -> bool:
        """Whether `patience` epochs have passed without a better score."""
        return self.evaluate is not None and int(self.state["epochs_since"]) >= self.patience

    def after_epoch(self, named: Mapping[str, nn.Parameter]) -> dict[str, float]:
        """Score the weights as they are; returns what to log."""
        if self.evaluate is None:
            return {}
        score = processes().from_main(self.evaluate())
        if score > float(self.state["best_score"]):
            self.kept.write(self.phase, named)
            self.state.update(best_score=repr(score), epochs_since="0")
        else:
            self.state["epochs_since"] = str(int(self.state["epochs_since"]) + 1)
        return {"dev_score": score}

    def restore(self, named: Mapping[str, nn.Parameter]) -> None:
        """Put the best epoch's weights back."""
        if self.evaluate is not None:
            self.kept.read(self.phase, named)
