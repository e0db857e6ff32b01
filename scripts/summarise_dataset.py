"""Tell what was built of a dataset, what is missing and why.

Input:  the index; the folders of manifests of downloaded videos, and of each encoding's
        clips and frames, and of each flow; the folders of lists; each model's HDF5 file
        with its table beside it and where the time of its shards went; the folders of
        evaluations, of probes and of trainings; Snakemake's benchmarks, those that are
        there.
Output: a page that needs nothing but itself, and failures.tsv: each video that failed,
        with the first stage at which it did.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

from scripts.common import cli, files, index, tables
from scripts.common.judging.judged import read_judged
from scripts.common.report import speeds, summary
from scripts.common.report.page import Summary, plural, render_page
from scripts.common.report.summary import Failures, Stage


def render_failures(failures: Failures) -> str:
    """Return the text of failures.tsv, sorted by id."""
    return tables.render_records(
        ("id", "stage", "status", "message"),
        (
            (video_id, failed.stage, failed.status, failed.message)
            for video_id, failed in sorted(failures.items(), key=lambda item: item[0])
        ),
    )


def summarise(arguments: argparse.Namespace) -> Summary:
    """Return what was built of a dataset, along the chain."""
    failures: Failures = {}
    videos = summary.read_index(arguments.index / "videos.tsv", failures)
    shards = index.read_shards(arguments.index / "shards.tsv")
    samples = videos.may_be_shown()

    def counted(rule: str, folders: Iterable[Path]) -> list[Stage]:
        return [
            summary.read_stage(rule, folder, shards, failures, samples)
            for folder in folders
        ]

    originals = counted("download_videos", arguments.videos)
    clips = counted("transcode_clips", arguments.clips)
    frames = counted("dump_frames", arguments.frames)
    flow = counted("compute_flow", arguments.flow)
    features = [
        summary.read_features(path, shards, failures, samples)
        for path in arguments.features
    ]
    jobs = speeds.read_speeds(
        arguments.benchmarks,
        arguments.dataset,
        shards,
        videos.total,
        [*originals, *clips, *frames, *flow, *(model.stage for model in features)],
    )
    return Summary(
        arguments.dataset,
        videos,
        samples,
        arguments.options["about"],
        summary.read_counts(arguments.index / "counts.tsv"),
        originals,
        clips,
        frames,
        flow,
        [summary.read_lists(folder) for folder in arguments.lists],
        features,
        [
            read_judged(path)
            for path in (
                *arguments.evaluations,
                *arguments.probes,
                *(model.parent for model in arguments.trainings),
            )
        ],
        failures,
        jobs,
        speeds.read_paces(arguments.features, shards),
    )


def main(argv: list[str] | None = None) -> None:
    """Write the report of one dataset."""
    parser = cli.command("summarise_dataset", __doc__)
    add = parser.add_argument
    add("--dataset", required=True, help="its name")
    add("--index", type=Path, required=True, help="directory of the index")
    several = {"type": Path, "nargs": "*", "default": [], "metavar": "PATH"}
    add("--videos", **several, help="directory of downloaded videos")
    add("--clips", **several, help="directories of clips, one an encoding")
    add("--frames", **several, help="directories of frames, one an encoding")
    add("--flow", **several, help="directories of flow, one a name")
    add("--lists", **several, help="directories of lists, one a set")
    add("--features", **several, help="HDF5 files, one a model; tables beside them")
    add("--evaluations", **several, help="directories, one an evaluation")
    add("--probes", **several, help="directories, one a probe")
    add("--trainings", **several, help="model.pt of each training; tables beside them")
    cli.add_options(parser, "`about`, as in config/README.md")
    add("--benchmarks", type=Path, required=True, help="directory of the benchmarks")
    add("--page", type=Path, required=True, help="HTML page to write")
    add("--failures", type=Path, required=True, help="table to write")
    arguments = parser.parse_args(argv)
    made = summarise(arguments)
    files.write_text(arguments.failures, render_failures(made.failures))
    files.write_text(arguments.page, render_page(made))
    failed = plural(len(made.failures), "video")
    print(f"{failed} failed; {arguments.page} tells more")


if __name__ == "__main__":
    main()
