"""Feature extraction, one row of benchmarks/README.md after the other.

    cpu       windows/s against one window at a time, and against the network alone
    gpu       the same on a GPU, with bfloat16, and the share of the GPU's arithmetic
    decoding  decoding and resizing against torchcodec alone on the same cores
    memory    of a video of 3 hours against one of 3 minutes
    files     aggregating, and random reads, against one .npy file for each video

Each takes other sizes too: `python -m benchmarks.bench_extraction ROW --help`.
"""

import argparse
import tempfile
from pathlib import Path

import models
from benchmarks.extraction import decoding, feature_files, memory, on_cpu, on_gpu
from benchmarks.timing import cores


def parser() -> argparse.ArgumentParser:
    """Return the parser of the rows and of their sizes."""
    result = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_extraction",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    rows = result.add_subparsers(dest="row", required=True, metavar="ROW")

    def row(name: str, module) -> argparse.ArgumentParser:
        style = argparse.RawDescriptionHelpFormatter
        return rows.add_parser(name, description=module.__doc__, formatter_class=style)

    of_models = {"action": "append", "choices": models.names(), "metavar": "NAME"}
    videos = {"type": Path, "action": "append", "metavar": "FILE"}
    cpu = row("cpu", on_cpu)
    cpu.add_argument("--model", **of_models, help="default: four, one after the other")
    cpu.add_argument("--batch-size", type=int, default=4, help="default: 4")
    cpu.add_argument("--video", **videos, help="default: two generated ones")
    cpu.add_argument("--repeats", type=int, default=3, help="rounds (default: 3)")
    gpu = row("gpu", on_gpu)
    gpu.add_argument("--model", **of_models, help="default: four, one after the other")
    gpu.add_argument("--video", **videos, help="default: generated ones")
    gpu.add_argument("--copies", type=int, default=16, help="of a video (default: 16)")
    gpu.add_argument("--decoder", choices=("cpu", "cuda"), default="cpu")
    gpu.add_argument("--repeats", type=int, default=3, help="rounds (default: 3)")
    gpu.add_argument(
        "--peak",
        type=float,
        default=None,
        metavar="TFLOPS",
        help="the GPU's dense bfloat16 peak; 2 operations a multiply-accumulate",
    )
    decode = row("decoding", decoding)
    decode.add_argument("--video", **videos, help="default: two generated ones")
    decode.add_argument("--repeats", type=int, default=5, help="rounds (default: 5)")
    long = row("memory", memory)
    long.add_argument("--hours", type=float, default=3, help="default: 3")
    long.add_argument(
        "--numbers",
        type=int,
        default=12_544,
        help="in a window's features (default: 12,544, 0.8 GB for 3 hours)",
    )
    stored = row("files", feature_files)
    stored.add_argument("--videos", type=int, default=20_000, help="default: 20,000")
    stored.add_argument("--reads", type=int, default=5_000, help="default: 5,000")
    stored.add_argument("--repeats", type=int, default=3, help="rounds (default: 3)")
    return result


def main() -> None:
    """Run one row and print its figures."""
    given = parser().parse_args()
    print(f"{cores()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.row == "cpu":
            paths = given.video or on_cpu.make_videos(folder)
            for model in given.model or on_cpu.MODELS:
                on_cpu.compare(model, paths, given.batch_size, given.repeats)
        elif given.row == "gpu":
            paths = (given.video or on_cpu.make_videos(folder)) * given.copies
            for model in given.model or on_cpu.MODELS:
                on_gpu.compare(model, paths, given.decoder, given.peak, given.repeats)
        elif given.row == "decoding":
            paths = given.video or on_cpu.make_videos(folder)
            decoding.compare(paths, given.repeats)
        elif given.row == "memory":
            memory.compare(folder, given.hours, given.numbers)
        else:
            feature_files.compare(folder, given.videos, given.reads, given.repeats)


if __name__ == "__main__":
    main()
