"""Checkpoints of Caffe2: the names of the blobs, the pickles, and hostile ones."""

import csv
import gzip
import os
import pickle

import numpy as np
import pytest
import torch

import models
from models import caffe2, checkpoints
from tests.recipe import PARITY

with (PARITY / "pyslowfast" / "caffe2.tsv").open(newline="") as file:
    # Of SlowFast 8x8 R50, and of the non-local blocks of I3D NLN 8x8 R50.
    NAMES = {row["blob"]: row["key"] for row in csv.DictReader(file, delimiter="\t")}

ARRAY = np.arange(6, dtype=np.float32).reshape(2, 3)


def write(content, path, protocol=2):
    path.write_bytes(pickle.dumps(content, protocol))
    return path


# Names


def test_every_blob_has_its_key():
    assert {blob: caffe2.key(blob) for blob in NAMES} == NAMES


def test_a_pickle_of_blobs_gives_the_very_weights(tmp_path):
    state = models.create("slowfast_8x8_r50_k400", seed=7).network.state_dict()
    blobs = {
        blob: state[key].numpy() for blob, key in NAMES.items() if "nonlocal" not in key
    }
    blobs |= {"conv1_w_momentum": ARRAY, "lr": ARRAY, "model_iter": np.int64(3)}
    # A name that PyTorch's files have: the content tells.
    path = write({"blobs": blobs}, tmp_path / "SLOWFAST_8x8_R50.pyth")
    for source in (path, {"blobs": blobs}):
        extractor = models.create("slowfast_8x8_r50_k400", checkpoint=source)
        for key, value in extractor.network.state_dict().items():
            assert torch.equal(value, state[key]), key


def test_unknown_and_missing_blobs_are_named():
    network = torch.nn.ModuleDict({"head": torch.nn.Module()})
    network.head.projection = torch.nn.Linear(3, 2)
    blobs = {"pred_w": ARRAY, "pred_extra": ARRAY, "fc6_w": ARRAY}
    with pytest.raises(checkpoints.CheckpointError) as caught:
        checkpoints.load_strict(network, checkpoints.tensors({"blobs": blobs}))
    assert "head.projection.bias missing" in str(caught.value)
    assert "pred_extra, fc6_w unexpected" in str(caught.value)


def test_weights_of_a_linear_layer_fit_a_convolution():
    network = torch.nn.Sequential(torch.nn.Conv3d(3, 2, 1, bias=False))
    checkpoints.load_strict(network, {"0.weight": torch.from_numpy(ARRAY)})
    assert network[0].weight.flatten().tolist() == ARRAY.flatten().tolist()
    with pytest.raises(checkpoints.CheckpointError, match=r"\(3, 2\), not \(2, 3, 1"):
        checkpoints.load_strict(network, {"0.weight": torch.from_numpy(ARRAY.T)})


# Pickles


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "array",
    [ARRAY, np.asfortranarray(ARRAY), ARRAY[:, ::2], np.float32(3)],
    ids=["C", "Fortran", "strided", "scalar"],
)
def test_arrays_of_every_protocol_are_read(tmp_path, protocol, array):
    path = write({"blobs": {"pred_w": array}}, tmp_path / "w.pkl", protocol)
    found = checkpoints.read(path)["head.projection.weight"]
    assert found.dtype == torch.tensor(array).dtype
    assert found.tolist() == array.tolist()


def test_a_plain_mapping_of_arrays_is_read(tmp_path):
    path = write({"a": ARRAY, "n": np.array(3)}, tmp_path / "w.pkl")
    found = checkpoints.read(path)
    assert (found["a"].tolist(), found["n"].item()) == (ARRAY.tolist(), 3)


def python2(data: bytes) -> bytes:
    """The pickle that Python 2 and NumPy wrote of {"blobs": {"pred_b": float32s}}."""
    count = len(data) // 4
    return (
        b"\x80\x02}U\x05blobs}U\x06pred_bcnumpy.core.multiarray\n_reconstruct\n"
        b"cnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K"
        + bytes([count])
        + b"\x85cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U"
        + bytes([len(data)])
        + data
        + b"tbss."
    )


def test_a_pickle_of_python_2_is_read(tmp_path):
    numbers = np.array([-1.7, 3e33, np.pi, -0.0], "<f4")  # bytes above 127
    path = tmp_path / "w.pkl"
    path.write_bytes(python2(numbers.tobytes()))
    found = checkpoints.read(path)["head.projection.bias"]
    assert found.numpy().tobytes() == numbers.tobytes()


def test_a_gzip_archive_is_told(tmp_path):
    path = tmp_path / "w.pkl"
    path.write_bytes(gzip.compress(pickle.dumps({"blobs": {"pred_w": ARRAY}})))
    with pytest.raises(checkpoints.CheckpointError, match="gzip archive: unpack"):
        checkpoints.read(path)


# Hostile pickles


class Calls:
    """An object whose pickle calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def refused(content: bytes, path) -> str:
    path.write_bytes(content)
    with pytest.raises(
        checkpoints.CheckpointError, match="more than plain tensors"
    ) as caught:
        checkpoints.read(path)
    return str(caught.value)


@pytest.mark.parametrize("protocol", [2, 4])
def test_code_in_a_pickle_does_not_run(tmp_path, protocol):
    made = tmp_path / "ran"
    for bomb in (
        Calls(os.mkdir, str(made)),
        Calls(eval, f"__import__('os').mkdir({str(made)!r})"),
        Calls(getattr, "", "join"),
    ):
        content = {"blobs": {"pred_w": ARRAY, "bomb": bomb}}
        message = refused(pickle.dumps(content, protocol), tmp_path / "w.pkl")
        assert "it names " in message
    assert not made.exists()


def test_a_module_that_a_pickle_names_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "hostile.py").write_text(
        "from pathlib import Path\nPath('ran').touch()"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert "hostile.run" in refused(b"\x80\x02chostile\nrun\n)R.", tmp_path / "w.pkl")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "content",
    [
        # NumPy's own constructor would take these bytes for an object's address.
        b"\x80\x02cnumpy\nndarray\nK\x01\x85cnumpy\ndtype\nU\x01OK\x00K\x01\x87R"
        b"U\x08AAAAAAAA\x87R.",
        b"\x80\x02cnumpy\nndarray\nK\x01\x85cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R"
        b"U\x04AAAA\x87R.",
        pickle.dumps({"a": np.array([1, "text"], object)}, 2),
        pickle.dumps({"a": np.array([b"text"])}, 2),
        pickle.dumps({"a": np.zeros(2, [("x", "f4")])}, 2),
        python2(b"AAAA").replace(b"K\x01\x85", b"K\x7f\x85"),
        b"\x80\x02cbuiltins\nset.add\n.",
        b"\x80\x02U\x04nameQ.",
        b"\x80\x02}q\x00U\x01ah\x00s.",
    ],
    ids=[
        "object from bytes",
        "constructor",
        "objects",
        "text",
        "records",
        "bytes that are too few",
        "attribute",
        "persistent id",
        "endless",
    ],
)
def test_other_arrays_and_tricks_are_refused(content, tmp_path):
    refused(content, tmp_path / "w.pkl")


@pytest.mark.parametrize("named", caffe2._ALLOWED, ids=".".join)
def test_a_pickle_cannot_change_what_it_may_name(named, tmp_path):
    # The opcode BUILD sets attributes of what stands before it.
    attributes = {"__init__": 1, "__setstate__": 1, "__defaults__": (1,), "_fill": 1}
    name = "c{}\n{}\n".format(*named).encode()
    for state in (attributes, (None, attributes)):
        body = pickle.dumps(state, 2).removeprefix(b"\x80\x02").removesuffix(b".")
        refused(b"\x80\x02" + name + body + b"b.", tmp_path / "w.pkl")
    for protocol in (2, 5):
        content = {"a": ARRAY, "n": np.float32(3)}
        path = write(content, tmp_path / "w.pkl", protocol)
        assert checkpoints.read(path)["a"].tolist() == ARRAY.tolist()
