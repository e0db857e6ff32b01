"""From a training to what it is worth, as a user runs it."""

import pytest

from tests.actions import actions_config, make_actions
from tests.projects import Project


@pytest.fixture(scope="module")
def judged(tmp_path_factory) -> Project:
    """A network that is trained for an epoch and tested."""
    folder = tmp_path_factory.mktemp("judged")
    make_actions(folder, train=8, val=8, frames=8)
    project = Project(folder)
    project.configure(
        {
            "datasets": {"actions": actions_config(folder) | {"shards": 1}},
            "lists": {"encoding": "original"},
            "trainings": {
                "small": {
                    "model": "ibm_mini_k400_resnet_18_f4",
                    "checkpoint": "random",
                    "encoding": "original",
                    "size": 32,
                    "epochs": 1,
                    "batch_size": 8,
                }
            },
            "evaluations": {"learnt": {"model": "small", "split": "val"}},
        }
    )
    project.run("evaluations")
    return project


def test_what_was_trained_is_tested_with_its_own_classes_and_clips(judged):
    folder = judged.folder / "results/actions/evaluations/learnt"
    lines = (folder / "metrics.tsv").read_text().splitlines()
    figures = dict(line.split("\t") for line in lines)
    assert figures["videos"] == "8"
    assert 0 <= float(figures["top-1 accuracy"]) <= 100
    classes = (folder / "model_classes.txt").read_text().split()
    assert classes == ["down", "left", "right", "up"]


def test_other_views_score_again_and_train_nothing(judged):
    config = judged.config
    config["evaluations"]["learnt"]["views"] = {"clips": 2}
    judged.configure(config)
    assert judged.executed("evaluations") == {
        "score_videos/actions.learnt.00000",
        "evaluate_model/actions.learnt",
    }
