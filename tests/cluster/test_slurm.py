"""The demo on a real SLURM, disturbed in all ways that a cluster knows.

One build, told by the fixture `story`: a job is cancelled, another runs into its time
limit, one runs out of memory, and Snakemake is interrupted and started again.
"""

import shutil
import signal
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pytest

from scripts.common.journal import Journal
from tests.projects import ROOT, SNAKEMAKE, Project

# Takes ffmpeg's place. The third video of a job finds it standing still or hungry,
# once.
FFMPEG = """\
#!/bin/bash
case "$*" in
*/frames/default/00000/*)
    calls=frames-00000
    ill=(python3 -c "import time; eaten = bytearray(10**9); time.sleep(60)") ;;
*/frames/*) ;;
*/clips/default/0000[01]/*)
    calls=clips-$(grep -o '0000[01]' <<<"$*" | head -1)
    ill=(sleep 600) ;;
esac
if [ "$calls" ]; then
    calls=$(dirname "$0")/$calls
    echo >>"$calls"
    if [ "$(wc -l <"$calls")" -ge 3 ] && mkdir "$calls-ill" 2>/dev/null; then
        exec "${ill[@]}"
    fi
fi
exec FFMPEG "$@"
"""


class OnSlurm(Project):
    """A project whose jobs SLURM runs."""

    def command(self, *arguments: str) -> list[str]:
        """Return the command line that a user would type, but for the waiting."""
        command = [str(SNAKEMAKE), *arguments, "--snakefile", str(ROOT / "Snakefile")]
        command += ["--profile", str(ROOT / "profiles/slurm")]
        command += ["--default-resources", "slurm_partition=cpu", "--set-resources"]
        command += ["extract_features:slurm_partition=gpu"]
        # The least that SLURM knows is a minute; a job of the demo takes seconds.
        command += ["transcode_clips:runtime=attempt", "dump_frames:mem_mb=600*attempt"]
        return [*command, "--slurm-init-seconds-before-status-checks", "2"]

    def finished(self) -> dict[Path, int]:
        """Return when the products were written that the journals hold as done."""
        times = {}
        for path in self.folder.glob("results/demo/*/*/*.journal"):
            for row in Journal(path).rows.values():
                product = self.folder / row.path
                if row.ok and product.exists():
                    times[product] = product.stat().st_mtime_ns
        return times


@dataclass
class Story:
    """What happened.

    Attributes:
        project: the demo, in the end.
        states: how the jobs ended, in their order, by rule and wildcards.
        gpus: when which GPUs were a job's: job, begin, end, numbers; `none` for none.
        limits: minutes that jobs asked for, in their order, by rule and wildcards.
        seen: when products were first seen finished.
        left: jobs that were not cancelled when Snakemake was interrupted.
    """

    project: OnSlurm
    states: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    gpus: list[tuple[str, float, float, str]] = field(default_factory=list)
    limits: dict[str, list[int]] = field(default_factory=dict)
    seen: dict[Path, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def story(slurm, tmp_path_factory) -> Story:
    folder = tmp_path_factory.mktemp("slurm")
    # As the documentation has it: what needs the internet on the submitting host.
    Project(folder).run("originals")
    story = Story(OnSlurm(folder))
    (folder / "bin").mkdir()
    ffmpeg = folder / "bin/ffmpeg"
    ffmpeg.write_text(FFMPEG.replace("FFMPEG", shutil.which("ffmpeg")))
    ffmpeg.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder / 'bin'}:{slurm.environment['PATH']}")
        tell(story, slurm)
    names = slurm.jobs()
    for number in sorted(names, key=int):
        name, state = names[number]
        story.states[name].append(state)
    story.limits = slurm.limits()
    times = defaultdict(list)
    for number, _, seconds, gpus in slurm.tasks():
        times[names[number][0], number, gpus].append(seconds)
    story.gpus = [
        (name, min(at), max(at), gpus) for (name, _, gpus), at in times.items()
    ]
    return story


def tell(story: Story, slurm) -> None:
    """Build the demo and disturb it."""
    project = story.project
    process = project.start()
    try:
        watch(story, process, "bin/clips-00000-ill")
        watch(story, process, "results/demo/clips/default/00000.journal")
        cancel(slurm, "transcode_clips_wildcards_demo_default_00000")
        watch(story, process, "results/demo/features/s3d_k400/00001.journal")
        project.kill(process, signal.SIGINT, group=True)
        story.left = slurm.queue_after(seconds=30)
        process = project.start()
        watch(story, process)
        assert process.returncode == 0, output(project)
    finally:
        process.kill()


def watch(story: Story, process, until: str | None = None, seconds: int = 400) -> None:
    """Note what is finished until a file is there, or until Snakemake ends."""
    project, end = story.project, time.monotonic() + seconds
    while not (until and any(project.folder.glob(until))):
        for path, written in project.finished().items():
            story.seen.setdefault(path, written)
        if process.poll() is not None:
            assert until is None, output(project)
            return
        assert time.monotonic() < end, output(project)
        time.sleep(0.2)


def output(project: Project) -> str:
    """Return what Snakemake printed."""
    return (project.folder / "output.txt").read_text()


def cancel(slurm, name: str) -> None:
    """Cancel a job as its user would."""
    (number,) = [n for n, (comment, _) in slurm.jobs().items() if name in comment]
    slurm.ask("scancel", number)


@pytest.mark.parametrize(
    ("rule", "wildcards", "ends"),
    [
        ("transcode_clips", "demo.default.00000", ["CANCELLED", "COMPLETED"]),
        ("transcode_clips", "demo.default.00001", ["TIMEOUT", "COMPLETED"]),
        ("dump_frames", "demo.default.00000", ["FAILED", "COMPLETED"]),
        ("dump_frames", "demo.default.00001", ["COMPLETED"]),
        ("extract_features", "demo.s3d_k400.00001", ["CANCELLED", "COMPLETED"]),
    ],
)
def test_a_job_that_ends_early_goes_on_where_it_was(story, rule, wildcards, ends):
    name = f"rule_{rule}_wildcards_{wildcards.replace('.', '_')}"
    assert story.states[name] == ends
    from_the_start = " to do, 0 done before" in story.project.log(f"{rule}/{wildcards}")
    assert from_the_start == (len(ends) == 1)


def test_a_job_asks_for_the_time_that_its_shard_takes_and_then_for_more(story):
    # Half an hour and a minute: some ten videos of a few seconds.
    assert story.limits["rule_compute_flow_wildcards_demo_farneback_00000"] == [31]
    assert story.limits["rule_extract_features_wildcards_demo_s3d_k400_00000"] == [31]
    assert story.limits["rule_dump_frames_wildcards_demo_default_00000"] == [31, 62]


def test_no_finished_video_is_done_again(story):
    assert len(story.seen) > 20
    again = [
        path
        for path, written in story.seen.items()
        if path.suffix != ".h5" and path.stat().st_mtime_ns != written
    ]
    assert again == []


def test_an_interrupt_takes_its_jobs_along(story):
    assert story.left == []


def test_extraction_has_a_gpu_of_its_own_and_runs_two_at_a_time(story):
    with_gpu = [job for job in story.gpus if "extract_features" in job[0]]
    assert {gpu for *_, gpu in with_gpu} == {"0", "1"}
    pairs = [
        (one, other)
        for one in with_gpu
        for other in with_gpu
        if one < other and one[1] < other[2] and other[1] < one[2]
    ]
    assert pairs
    assert all(one[3] != other[3] for one, other in pairs)
    others = [job for job in story.gpus if "extract_features" not in job[0]]
    assert {gpu for *_, gpu in others} == {"none"}


def test_what_needs_the_internet_is_no_job(story):
    rules = {name.split("_wildcards_")[0] for name in story.states}
    assert not rules & {"rule_fetch_checkpoint", "rule_download_file"}


def test_the_results_equal_those_of_an_undisturbed_build(story, conda_demo):
    folders = ("index", "clips", "frames", "splits")
    assert story.project.products(*folders) == conda_demo.products(*folders)
    for path in conda_demo.folder.glob("results/demo/features/*.h5"):
        same = story.project.folder / path.relative_to(conda_demo.folder)
        with h5py.File(path) as one, h5py.File(same) as other:
            assert list(one) == list(other)
            for name in one:
                for key in one[name]:
                    # Which windows share a batch depends on timing.
                    np.testing.assert_allclose(
                        one[name][key], other[name][key], rtol=1e-4, atol=1e-4
                    )
