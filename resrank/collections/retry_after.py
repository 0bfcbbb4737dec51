"""The time that a server asks to wait: it sets when the next try is made, and changes no result."""

from __future__ import annotations

from collections.abc import Mapping

from urllib3.util import Retry


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds of a Retry-After, a number or a date; 0 without a readable one."""
    value = headers.get("Retry-After")
    try:
        return max(0.0, float(Retry().parse_retry_after(value))) if value else 0.0
    except Exception:  # urllib3 raises its own on what is neither a number nor a date
        return 0.0
