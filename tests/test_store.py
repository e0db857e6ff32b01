"""Features in HDF5: both layouts, the reader, what is shown and exported."""

import json
import pickle
import subprocess
import sys
import tarfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from pyarrow import parquet
from torch.utils.data import DataLoader

from scripts import export_features, inspect_features
from scripts.common import store
from scripts.common.store import FeatureStore
from tests.features import write_part
from tests.projects import ROOT

ABOUT = {"model": "s3d_k400", "weights": "w", "stack": 64, "fps": None}
IDS = ["run/a.mp4", "run/b c.mp4", "jump/ü.avi", "\udcff.mp4", "x"]


def arrays(number: int) -> dict[str, np.ndarray]:
    """Arrays that tell by their content whose they are; one has its own rows."""
    features = np.full((number + 1, 4), number, np.float32)
    return {
        "features": features,
        "fc": np.arange(2 * number * 3.0).reshape(2 * number, 3),
        "timestamps": np.cumsum(np.ones((number + 1, 2)), axis=0),
    }


def sources(folder: Path) -> list[tuple[Path, list[str]]]:
    found = []
    for number, video_id in enumerate(IDS):
        path = folder / f"part{number}.h5"
        write_part(path, video_id, f"k{number}", arrays(number))
        found.append((path, [video_id]))
    return found


@pytest.fixture(params=store.LAYOUTS)
def path(request, tmp_path) -> Path:
    """A file of either layout."""
    write = {"grouped": store.merge, "flat": store.flatten}[request.param]
    write(tmp_path / "all.h5", sources(tmp_path), ABOUT)
    return tmp_path / "all.h5"


def test_both_layouts_give_the_same(path):
    features = FeatureStore(path)
    assert sorted(features) == sorted(IDS)
    assert len(features) == 5
    assert sorted(features.lengths()) == [1, 2, 3, 4, 5]
    assert set(features.names) == {"features", "fc", "timestamps"}
    assert features.shape("fc") == (3,)
    for number, video_id in enumerate(IDS):
        assert video_id in features
        for name, expected in arrays(number).items():
            np.testing.assert_array_equal(features[video_id][name], expected)
    assert "run/c.mp4" not in features
    with pytest.raises(KeyError):
        features.read("run/c.mp4")
    assert features.provenance == ABOUT


def test_a_flat_file_is_easy_to_read_without_us(tmp_path):
    store.flatten(tmp_path / "all.h5", sources(tmp_path), ABOUT)
    with h5py.File(tmp_path / "all.h5") as file:
        number = list(file["ids"].asstr()).index("run+a.mp4")
        begin, end = file["offsets/features"][number : number + 2]
        assert file["features"][begin:end].tolist() == [[number] * 4] * (number + 1)
        assert file["keys"].asstr()[number] == f"k{number}"


@pytest.mark.parametrize("layout", store.LAYOUTS)
def test_a_file_without_videos_can_be_read(tmp_path, layout):
    write = {"grouped": store.merge, "flat": store.flatten}[layout]
    write(tmp_path / "none.h5", [], ABOUT)
    features = FeatureStore(tmp_path / "none.h5")
    assert (len(features), list(features), list(features.lengths())) == (0, [], [])
    assert features.layout == layout


class Dataset:
    """What a user writes around the reader."""

    def __init__(self, features: FeatureStore):
        self.features = features

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, number: int) -> np.ndarray:
        video_id = self.features.ids[number]
        return self.features.read(video_id).mean(axis=0)


def test_the_workers_of_a_data_loader_read_it(path):
    features = FeatureStore(path)
    features.read("x")  # the file is open when the workers begin
    # What workers that are no fork of this process get.
    features = pickle.loads(pickle.dumps(features))
    features.read("x")
    loader = DataLoader(Dataset(features), batch_size=1, num_workers=2)
    means = [float(batch[0, 0]) for batch in loader]
    assert means == [IDS.index(video_id) for video_id in features.ids]


def test_what_is_inside_is_shown(path, capsys):
    inspect_features.main([str(path), "--videos", "2"])
    shown = capsys.readouterr().out
    assert shown.startswith(f"5 videos, 15 windows, {FeatureStore(path).layout}\n")
    assert "frames in a window: 64" in shown
    assert "  features (4,)" in shown
    assert shown.count("windows\n") == 2
    inspect_features.main([str(path), "--json"])
    assert json.loads(capsys.readouterr().out)["arrays"]["fc"] == [3]


def test_a_file_of_others_gets_one_line(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for main in (inspect_features.main, export_features.main):
        arguments = [str(tmp_path / "notes.txt")]
        arguments += ["--to", "npy"] if main is export_features.main else []
        with pytest.raises(SystemExit, match=r"notes\.txt is no HDF5 file"):
            main(arguments)


def export(path: Path, *arguments: str) -> Path:
    export_features.main([str(path), *arguments])
    return path.with_name(f"all-{arguments[1]}")


def test_exported_as_files_of_arrays(path):
    folder = export(path, "--to", "npy")
    found = np.load(folder / "run+b=20c.mp4_fc.npy")
    np.testing.assert_array_equal(found, arrays(1)["fc"])
    assert len(list(folder.iterdir())) == 15
    folder = export(path, "--to", "pickle", "--arrays", "features")
    assert len(list(folder.iterdir())) == 5
    found = pickle.loads((folder / "x_features.pkl").read_bytes())
    np.testing.assert_array_equal(found, arrays(4)["features"])


def test_exported_as_a_table(path):
    folder = export(path, "--to", "parquet", "--arrays", "features")
    rows = parquet.read_table(folder / "features.parquet").to_pylist()
    assert len(rows) == 15
    last = next(row for row in rows if row["video"] == "x" and row["window"] == 4)
    assert last["features"] == [4.0] * 4
    assert (last["start"], last["end"]) == (5.0, 5.0)
    with pytest.raises(
        SystemExit, match=r"'fc' of .* rows, and timestamps has \d: name"
    ):
        export(path, "--to", "parquet")


@pytest.mark.parametrize("layout", store.LAYOUTS)
def test_features_by_step_are_exported_as_a_table_of_their_own(tmp_path, layout):
    found = []
    for video, steps in (("a", 3), ("b", 1)):
        part, times = tmp_path / f"{steps}.h5", np.arange(2.0 * steps).reshape(-1, 2)
        of_steps = {"fc": times[:, :1] + [0, 1, 2], "step_timestamps": times}
        of_video = {"features": np.ones((1, 4)), "timestamps": np.array([[0, steps]])}
        write_part(part, video, "k", of_video | of_steps)
        found.append((part, [video]))
    write = {"grouped": store.merge, "flat": store.flatten}[layout]
    write(tmp_path / "all.h5", found, ABOUT)
    folder = export(tmp_path / "all.h5", "--to", "parquet")
    rows = parquet.read_table(folder / "features.parquet").to_pylist()
    assert [(row["video"], row["end"]) for row in rows] == [("a", 3), ("b", 1)]
    assert "fc" not in rows[0]
    rows = parquet.read_table(folder / "steps.parquet").to_pylist()
    assert [(row["video"], row["step"]) for row in rows] == [
        ("a", 0),
        ("a", 1),
        ("a", 2),
        ("b", 0),
    ]
    assert rows[2] == {
        "video": "a",
        "step": 2,
        "start": 4.0,
        "end": 5.0,
        "fc": [4.0, 5.0, 6.0],
    }
    folder = export(tmp_path / "all.h5", "--to", "parquet", "--arrays", "fc")
    assert parquet.read_table(folder / "steps.parquet")["fc"].to_pylist()[2] == [
        4,
        5,
        6,
    ]


def test_exported_as_a_webdataset(path, monkeypatch):
    monkeypatch.setattr(export_features, "IN_A_TAR", 2)
    folder = export(path, "--to", "webdataset")
    names = []
    for tar in sorted(folder.iterdir()):
        with tarfile.open(tar) as archive:
            names += archive.getnames()
    assert len(list(folder.iterdir())) == 3
    assert len(names) == len(set(names)) == 20
    assert {"run+a=2Emp4.json", "run+a=2Emp4.features.npy"} < set(names)
    # The name of a sample ends at its first dot.
    assert {len(name.split(".")[0]) for name in names} != {0}
    assert all("." not in name.split(".", 1)[0] for name in names)


PEAK = """
import resource, sys
from pathlib import Path
import numpy as np
from scripts.common import store
from tests.features import write_part
def sources(folder, count):
    for n in range(count):
        yield folder / "part.h5", ["v"]
folder = Path(sys.argv[1])
write_part(folder / "part.h5", "v", "k", {"features": np.ones((4096, 512))})
about = {"model": "", "weights": ""}
for count in (4, 24):
    store.flatten(folder / "all.h5", sources(folder, count), about)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_number_of_videos(tmp_path):
    command = [sys.executable, "-c", PEAK, tmp_path]
    few, many = map(int, subprocess.check_output(command, cwd=ROOT).split())
    # The further twenty are 335 MB.
    assert many - few < 60_000
