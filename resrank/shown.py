"""A value as an error shows it: short, however long, deep or often referred to it is."""

from __future__ import annotations

import reprlib

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 120

shown = _short.repr
"""The repr of a value, its middle left out where it is long."""
