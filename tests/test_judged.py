"""What the report is told of evaluations and probes."""

from scripts.common.judging.judged import read_judged


def test_figures_weights_and_pictures_are_found(tmp_path):
    folder = tmp_path / "probes" / "mine"
    folder.mkdir(parents=True)
    (folder / "metrics.tsv").write_text(
        "metric\tvalue\ntop-1 accuracy\t61.50\nweights\trandom, seed 0\n"
    )
    for name in ("projection.png", "confusion.png"):
        (folder / name).write_bytes(b"")
    found = read_judged(folder)
    assert found.title == "probe mine"
    assert found.figures == {"top-1 accuracy": "61.50"}
    assert found.weights == "random, seed 0"
    assert [path.name for path in found.pictures] == ["confusion.png", "projection.png"]


def test_an_evaluation_of_videos_without_labels_has_no_figures(tmp_path):
    folder = tmp_path / "evaluations" / "handed_in"
    folder.mkdir(parents=True)
    found = read_judged(folder)
    assert (found.title, found.figures) == ("evaluation handed_in", {})
