"""How long a server asks to wait: changes no result, only when the next try is made."""

from __future__ import annotations

import requests
from urllib3.util import Retry


def retry_after(reply: requests.Response) -> float:
    """Seconds of a reply's Retry-After, a number or a date; 0 without one that can be read."""
    said = reply.headers.get("Retry-After")
    try:
        return max(0.0, float(Retry().parse_retry_after(said))) if said else 0.0
    except Exception:  # urllib3 raises its own on what is neither a number nor a date
        return 0.0
