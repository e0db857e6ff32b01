"""Readers of annotations: each dataset's own files, and tables of any making."""

from scripts.common.annotations.base import (
    Annotated,
    AnnotationError,
    Annotations,
    Event,
    Files,
)

__all__ = ["Annotated", "AnnotationError", "Annotations", "Event", "Files"]
