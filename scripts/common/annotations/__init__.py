"""Readers of annotations: each dataset's own files, and tables of any making."""

from collections.abc import Callable

from scripts.common.annotations.activitynet import read_activitynet
from scripts.common.annotations.base import (
    Annotated,
    AnnotationError,
    Annotations,
    Event,
    Files,
)
from scripts.common.annotations.charades import read_charades
from scripts.common.annotations.classes import (
    check_classes,
    class_key,
    match_classes,
    refuse_twins,
)
from scripts.common.annotations.hmdb51 import read_hmdb51
from scripts.common.annotations.kinetics import read_kinetics
from scripts.common.annotations.moments import read_moments
from scripts.common.annotations.something import read_something
from scripts.common.annotations.table import read_table
from scripts.common.annotations.ucf101 import read_ucf101
from scripts.common.annotations.youcook2 import read_youcook2

# By the `format` of the config; `table` is `read_table`.
READERS: dict[str, Callable[[Files], Annotations]] = {
    "ucf101": read_ucf101,
    "hmdb51": read_hmdb51,
    "kinetics": read_kinetics,
    "something": read_something,
    "moments": read_moments,
    "charades": read_charades,
    "activitynet": read_activitynet,
    "youcook2": read_youcook2,
}

__all__ = [
    "READERS",
    "Annotated",
    "AnnotationError",
    "Annotations",
    "Event",
    "Files",
    "check_classes",
    "class_key",
    "match_classes",
    "read_table",
    "refuse_twins",
]
