"""Frames that networks get of a whole video, against the programs that chose them so.

The rules of temporal-shift-module itself are in test_models_tsm.py; its dense one is
IBM's too.
"""

import json
from pathlib import Path

from models.sampling import dense, shifted

IBM = json.loads((Path(__file__).parent / "data" / "ibm_sampling.json").read_text())


def test_clips_of_a_test_are_those_of_ibm():
    for rule, clips, frames, stride, length, numbers in IBM["cases"]:
        if rule == "uniform":
            views = shifted(length, frames, clips)
        else:
            views = dense(length, frames, clips, frames * stride)
        taken = [number + 1 for view in views for number in view]
        assert taken == numbers, (rule, clips, frames, stride, length)
