"""Only what a change makes stale runs again."""

import shutil

from scripts.common import store
from tests.projects import Project, make_video
from tests.recipe import relative_l2

REPORT = {"summarise_dataset/small", "check_failures/small"}
BOTH = ("00000", "00001")


def of_model(model: str) -> set[str]:
    shards = {f"extract_features/small.{model}.{shard}" for shard in BOTH}
    return shards | {f"aggregate_features/small.{model}"}


def change(project: Project, *path: str, to) -> None:
    config = project.config
    place = config
    for key in path[:-1]:
        place = place.setdefault(key, {})
    place[path[-1]] = to
    project.configure(config)


def test_nothing_changed_nothing_runs(built):
    assert built.executed() == set()


def test_a_comment_or_a_key_of_speed_changes_nothing(built):
    change(built, "models", "first", "batch_size", to=2)
    with (built.folder / "config.yaml").open("a") as file:
        file.write("# a comment\n")
    assert built.executed() == set()


def test_a_models_step_concerns_this_model_alone(built):
    change(built, "models", "second", "step", to=4)
    assert built.executed() == of_model("second") | REPORT


def test_a_models_stack_concerns_this_model_alone(built):
    change(built, "models", "first", "stack", to=12)
    expected = {"extract_features": 2, "aggregate_features": 1}
    assert built.planned("features") == expected | {"features": 1, "total": 4}


def features(project: Project, model: str) -> dict:
    path = project.folder / f"results/small/features/{model}.h5"
    return {
        (video, name): array
        for video, arrays in store.read(path)
        for name, array in arrays.items()
    }


def test_fused_models_give_what_each_gives_alone_and_are_stale_apart(built):
    apart = {model: features(built, model) for model in ("first", "second")}
    shutil.rmtree(built.folder / "results/small/features")
    for model in apart:
        change(built, "models", model, "fused", to=True)
    assert built.executed("features") == of_model("first") | of_model("second")
    logs = [
        built.log(f"extract_features/small.{model}.{shard}")
        for model in apart
        for shard in BOTH
    ]
    assert sorted(" 0 to do" in log for log in logs) == [False, False, True, True]
    for model, expected in apart.items():
        found = features(built, model)
        assert found.keys() == expected.keys()
        for key, array in found.items():
            # Which windows share a batch depends on timing, and the last bits on that.
            assert relative_l2(array, expected[key]) < 1e-5
    before = built.products("features/first")
    change(built, "models", "second", "stride", to=2)
    assert built.executed("features") == of_model("second")
    assert built.products("features/first") == before


def test_the_frame_rate_of_an_encoding_concerns_all_after_it(built):
    change(built, "encodings", "default", "fps", to=12)
    assert built.planned() == {
        "transcode_clips": 2,
        "dump_frames": 2,
        "write_splits": 1,
        "extract_features": 4,
        "aggregate_features": 2,
        "summarise_dataset": 1,
        "check_failures": 1,
        "all": 1,
        "total": 14,
    }


def test_an_added_video_concerns_its_shard_and_there_itself_alone(built):
    make_video(built.folder / "videos/left/new.mp4")
    ran = built.executed("clips", "features")
    tables = (built.folder / "results/small/index/shards").glob("*.tsv")
    (shard,) = [table.stem for table in tables if "new.mp4" in table.read_text()]
    expected = {
        "build_index/small",
        f"transcode_clips/small.default.{shard}",
        *(f"extract_features/small.{model}.{shard}" for model in ("first", "second")),
        *(f"aggregate_features/small.{model}" for model in ("first", "second")),
    }
    assert ran == expected
    for job in expected:
        if job.endswith(shard):
            assert "1 to do, " in built.log(job)


def test_a_changed_split_concerns_the_lists(built):
    names = (built.folder / "train.txt").read_text().splitlines()
    (built.folder / "train.txt").write_text("\n".join(names[:5]) + "\n")
    assert built.executed() == {"write_splits/small.ibm.own"} | REPORT


def test_a_changed_label_touches_no_clip(built):
    change(built, "datasets", "small", "labels", to="none")
    ran = built.executed()
    assert ran == {"build_index/small", "write_splits/small.ibm.own"} | REPORT


def test_a_moved_project_stays_up_to_date(built, tmp_path):
    built.folder.rename(tmp_path / "moved")
    assert Project(tmp_path / "moved").executed() == set()


def test_a_video_edited_in_place_is_seen_when_the_index_is_asked_for(built):
    make_video(built.folder / "videos/left/clip 0.mp4", seconds=2)
    assert built.executed("clips") == set()
    ran = built.executed("clips", "--forcerun", "build_index")
    (shard,) = {job.split(".")[-1] for job in ran if job.startswith("transcode")}
    assert ran == {"build_index/small", f"transcode_clips/small.default.{shard}"}
    assert "1 to do, " in built.log(f"transcode_clips/small.default.{shard}")
