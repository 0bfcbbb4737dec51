"""Early stopping: keep the weights of the epoch with the best dev score."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import nn

from resrank.training.checkpoints import Checkpoints
from resrank.training.processes import processes


class BestEpoch:
    """Scores each epoch, keeps the best epoch's weights on disk, and decides when to stop.

    `state` holds plain text, so that a checkpoint can store it.
    """

    def __init__(
        self,
        phase: str,
        evaluate: Callable[[], float] | None,
        patience: int,
        checkpoints: Checkpoints,
    ) -> None:
        """Prepare early stopping; it does nothing without `evaluate`, which returns a dev score."""
        self.phase = f"{phase} best"
        self.evaluate = evaluate
        self.patience = patience
        self.checkpoints = checkpoints
        self.state = {"best_score": "-inf", "epochs_since": "0"}

    @property
    def is_over(self) -> bool:
        """Whether `patience` epochs have passed without a better score."""
        return self.evaluate is not None and int(self.state["epochs_since"]) >= self.patience

    def after_epoch(self, parameters: Mapping[str, nn.Parameter]) -> dict[str, float]:
        """Score the current weights and return the fields to log."""
        if self.evaluate is None:
            return {}
        score = processes().from_main(self.evaluate())
        if score > float(self.state["best_score"]):
            self.checkpoints.write(self.phase, parameters)
            self.state.update(best_score=repr(score), epochs_since="0")
        else:
            self.state["epochs_since"] = str(int(self.state["epochs_since"]) + 1)
        return {"dev_score": score}

    def restore(self, parameters: Mapping[str, nn.Parameter]) -> None:
        """Load the best epoch's weights."""
        if self.evaluate is not None:
            self.checkpoints.read(self.phase, parameters)
