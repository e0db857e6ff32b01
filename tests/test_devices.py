"""Which GPU a job takes; no GPU is needed to see it."""

import os
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from scripts.common.engine import devices
from tests.projects import ROOT

HOLD = """
import sys, time
from pathlib import Path
from scripts.common.engine.devices import leased
with leased(["GPU-a", "GPU-b"], Path(sys.argv[1])) as (device,):
    print(device, flush=True)
    time.sleep(60)
"""


def holder(folder: Path) -> subprocess.Popen:
    """Start a job that holds a GPU until it is killed."""
    command = [sys.executable, "-c", HOLD, folder]
    return subprocess.Popen(command, stdout=PIPE, stderr=PIPE, text=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, ["GPU-a", "GPU-b", "GPU-c"]),
        ("2,0", ["GPU-c", "GPU-a"]),
        ("GPU-b", ["GPU-b"]),
        ("MIG-x", ["MIG-x"]),
        ("0,7,1", ["GPU-a"]),
        ("-1", []),
        ("", []),
    ],
)
def test_the_variable_chooses_as_cuda_reads_it(visible, expected):
    assert devices.allowed(["GPU-a", "GPU-b", "GPU-c"], visible) == expected


def test_each_job_has_a_gpu_of_its_own_and_the_next_one_waits(tmp_path):
    jobs = [holder(tmp_path), holder(tmp_path)]
    try:
        lent = [job.stdout.readline().strip() for job in jobs]
        assert sorted(lent) == ["GPU-a", "GPU-b"]
        third = holder(tmp_path)
        jobs.append(third)
        assert "waiting for one of 2 GPUs" in third.stderr.readline()
        jobs[0].kill()
        assert third.stdout.readline().strip() == lent[0]
    finally:
        for job in jobs:
            job.kill()
            job.communicate()


def test_several_gpus_are_lent_at_once_or_not_at_all(tmp_path):
    names = ["GPU-a", "GPU-b"]
    with devices.leased(names, tmp_path):
        job = subprocess.Popen(
            [
                sys.executable,
                "-c",
                HOLD.replace("1]))", "1]), 2)").replace("(device,)", "device"),
                tmp_path,
            ],
            stdout=PIPE,
            stderr=PIPE,
            text=True,
            cwd=ROOT,
        )
        assert "waiting for 2 of 2 GPUs" in job.stderr.readline()
        with devices.leased(names, tmp_path) as (second,):
            assert second == "GPU-b"
    try:
        assert job.stdout.readline().strip() == str(names)
    finally:
        job.kill()
        job.communicate()


def test_cuda_sees_the_leased_gpu_alone(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho GPU-a\necho GPU-b\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(devices.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv(devices.VISIBLE, "1")
    with devices.own_gpu() as device:
        assert device == os.environ[devices.VISIBLE] == "GPU-b"
    assert os.environ[devices.VISIBLE] == "1"
    with (
        pytest.raises(devices.TooFew, match="2 GPUs are asked for, and 1 are there"),
        devices.own_gpus(2),
    ):
        pass


def test_a_machine_without_gpus_lends_none(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(devices.VISIBLE, raising=False)
    with devices.own_gpu() as device:
        assert device is None
