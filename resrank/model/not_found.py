"""The error of a model that is neither on this machine nor can be fetched."""

from __future__ import annotations


class ModelNotFound(ValueError):
    """A model that is neither on disk nor can be fetched. The message says how to get it."""
