"""The engine behind the page: fields of a form to a case, a case to an answer, files in and out."""

from __future__ import annotations

from kneeload.consultation.engine import KneeEngine

__all__ = ["KneeEngine"]
