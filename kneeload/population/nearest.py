"""Names that look like one that does not exist, for errors."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Names most like this one, the likeliest first: those with the most words of it, then those that are spelt like it."""
    words = {word for word in name.replace(".", "_").split("_") if word}

    def likeness(other: str) -> tuple[float, float]:
        shared = len(words & set(other.replace(".", "_").split("_")))
        return difflib.SequenceMatcher(None, name, other).ratio() + 0.15 * shared, -len(other)

    return sorted(known, key=likeness, reverse=True)[:count]
