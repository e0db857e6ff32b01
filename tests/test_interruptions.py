"""The workflow itself is killed, interrupted and run again."""

import re
import signal
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from scripts.common.ids import slug
from scripts.common.journal import Journal
from tests.conftest import SECOND
from tests.projects import Project

# A stage, what is asked for, and the job's directory.
STAGES = {
    "transcode_clips": ("clips", "clips/default"),
    "extract_features": (SECOND, "features/second"),
}


def finished(project: Project, folder: str) -> dict[str, str]:
    """The keys of the videos that the journals of a stage hold as done."""
    journals = project.folder.glob(f"results/small/{folder}/*.journal")
    return {
        video_id: row.key
        for path in journals
        for video_id, row in Journal(path).rows.items()
    }


def wait_for_orphans(project: Project) -> None:
    """Wait until no process works in the project's directory any more."""
    until = time.monotonic() + 60
    while any(_works_in(project, process) for process in Path("/proc").iterdir()):
        assert time.monotonic() < until
        time.sleep(0.1)


def _works_in(project: Project, process: Path) -> bool:
    try:
        return (process / "cwd").readlink() == project.folder
    except OSError:
        return False


def same_features(one: Project, other: Project) -> bool:
    with h5py.File(one.folder / SECOND) as a, h5py.File(other.folder / SECOND) as b:
        # Which windows share a batch depends on timing, and the last bits on that.
        return list(a) == list(b) and all(
            np.allclose(a[name][key], b[name][key], rtol=1e-4, atol=1e-4)
            for name in a
            for key in a[name]
        )


def same(one: Project, other: Project, stage: str) -> bool:
    if stage == "extract_features":
        return same_features(one, other)
    return one.products("index", "clips") == other.products("index", "clips")


def logs(project: Project, stage: str) -> str:
    logs = project.folder.glob(f"logs/{stage}/*.log")
    return "".join(path.read_text() for path in logs)


@pytest.mark.parametrize("stage", STAGES)
def test_after_a_kill_of_snakemake_the_next_run_ends_like_an_undisturbed_one(
    slow, undisturbed, stage
):
    target, folder = STAGES[stage]
    process = slow.start(target)
    slow.wait_for(f"results/small/{folder}/*.journal")
    slow.kill(process, signal.SIGKILL)
    # The orphan still works and holds its shard; the next run waits for it.
    slow.run(target)
    assert re.search(r" to do, [1-9] done before", logs(slow, stage))
    assert same(slow, undisturbed, stage)


@pytest.mark.parametrize("stage", STAGES)
def test_ctrl_c_stops_within_seconds_and_loses_nothing(slow, undisturbed, stage):
    target, folder = STAGES[stage]
    process = slow.start(target)
    slow.wait_for(f"results/small/{folder}/*.journal")
    start = time.monotonic()
    slow.kill(process, signal.SIGINT, group=True)
    assert time.monotonic() - start < 10
    assert process.returncode
    wait_for_orphans(slow)
    before = finished(slow, folder)
    assert before
    names = {f"{slug(video_id)}.mp4" for video_id in before}
    clips = slow.folder.glob(f"results/small/{folder}/*/*.mp4")
    times = {path: path.stat().st_mtime_ns for path in clips if path.name in names}
    slow.run(target)
    assert before.items() <= finished(slow, folder).items()
    if stage == "transcode_clips":
        assert len(times) == len(before)
        assert times == {path: path.stat().st_mtime_ns for path in times}
    assert same(slow, undisturbed, stage)
