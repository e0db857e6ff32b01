import os
import signal

import pytest
from hypothesis import settings

# Test files run side by side: two processes that share the cores with torch's threads
# stall each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.projects import Project, make_video

# A shell without a terminal lets what it starts with `&` ignore Ctrl-C, and so its
# children.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says nothing about it on a machine that does other things.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

CLASSES = ("left", "right")
# The features of one model of the small projects.
SECOND = "results/small/features/second.h5"


# Files that build whole datasets, or train: begun last, they would end alone.
FIRST = {
    "test_clips_in_tars",
    "test_workflow",
    "test_staleness",
    "test_datasets",
    "test_interruptions",
    "test_judging",
    "test_training",
    "test_train_model",
    "test_registry",
    "test_models",
    "test_sharing",
}


def pytest_collection_modifyitems(items):
    """Begin with the longest files."""
    items.sort(key=lambda item: item.path.stem not in FIRST)


def small_project(folder, model="x3d_xs_k400", **video) -> Project:
    """A folder of eight short videos in two classes, with splits and a model twice.

    model: in the zoo; the default is the quickest.
    """
    for label in CLASSES:
        for number in range(4):
            path = folder / "videos" / label / f"clip {number}.mp4"
            make_video(path, seed=number, **video)
    names = [f"{label}/clip {n}.mp4" for label in CLASSES for n in range(4)]
    (folder / "train.txt").write_text("\n".join(names[:6]) + "\n")
    (folder / "test.txt").write_text("\n".join(names[6:]) + "\n")
    project = Project(folder)
    entry = {"model": model, "checkpoint": "random", "stride": 1}
    project.configure(
        {
            "datasets": {
                "small": {
                    "source": {"folder": "videos"},
                    "splits": {"own": {"train": "train.txt", "test": "test.txt"}},
                    "shards": 2,
                }
            },
            "encodings": {"default": {"short_side": 128}},
            "frames": {"encodings": ["default"]},
            "models": {"first": entry, "second": entry | {"stack": 8}},
        }
    )
    return project


@pytest.fixture(scope="session")
def built_once(tmp_path_factory) -> Project:
    project = small_project(tmp_path_factory.mktemp("small") / "project")
    project.run()
    return project


@pytest.fixture
def built(built_once, tmp_path) -> Project:
    """A small project that is up to date."""
    return built_once.copy(tmp_path / "project")


@pytest.fixture(scope="session")
def slow_once(tmp_path_factory) -> tuple[Project, Project]:
    folder = tmp_path_factory.mktemp("slow")
    fresh = small_project(
        folder / "fresh", "r2plus1d_18_k400", seconds=4, fps=25, size="640x480"
    )
    built = fresh.copy(folder / "built")
    built.run("clips", SECOND)
    return fresh, built


@pytest.fixture
def slow(slow_once, tmp_path) -> Project:
    """A project whose videos take long enough to be interrupted; nothing is built."""
    return slow_once[0].copy(tmp_path / "slow")


@pytest.fixture
def undisturbed(slow_once) -> Project:
    """The same, built in peace: clips and the features of `second`."""
    return slow_once[1]
