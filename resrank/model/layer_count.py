"""Check a number of layers against a model's."""

from __future__ import annotations


def check_layers(name: str, layers: int, most: int) -> None:
    """Raise ValueError if `layers` is more than the model has."""
    if layers > most:
        raise ValueError(f"layers {layers}, but {name} has {most}; set at most these")
