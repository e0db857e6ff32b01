"""What a build needs of the machine, looked for before anything runs."""

import shutil
from pathlib import Path

from scripts.common import originals

# The system's package that has a program.
PACKAGES = {"ffmpeg": "ffmpeg", "ffprobe": "ffmpeg", "unar": "unar"}
# Does as well.
ALTERNATIVES = {"unar": "unrar"}
# The environments of envs/ bring these; conda-forge has no unar.
BY_CONDA = {"ffmpeg", "ffprobe"}


def needed_programs(config: dict, conda: bool) -> list[str]:
    """Return the programs that a resolved configuration needs of the system.

    Args:
        config: the configuration.
        conda: whether rules run in their own environments.
    """
    names = [
        file.name.lower()
        for dataset in config["datasets"].values()
        for file in originals.of_files(dataset)
    ]
    rar = any(name.endswith(".rar") for name in names)
    programs = ["ffmpeg", "ffprobe", *(["unar"] if rar else [])]
    return [program for program in programs if not (conda and program in BY_CONDA)]


def missing_programs(programs: list[str]) -> list[str]:
    """Return a line for each program that is not on the PATH: what installs it."""
    return [
        f"{program} is not installed: `sudo apt-get install {PACKAGES[program]}`"
        f" or `brew install {PACKAGES[program]}`"
        + (", or run snakemake with --use-conda" if program in BY_CONDA else "")
        for program in programs
        if not any(map(shutil.which, {program, ALTERNATIVES.get(program, program)}))
    ]


def missing_folders(config: dict) -> list[str]:
    """Return a line for each folder of videos that is not there."""
    sources = {name: dataset["source"] for name, dataset in config["datasets"].items()}
    return [
        f"datasets.{name}.source.folder: there is no folder '{source['folder']}'"
        for name, source in sources.items()
        if source != "annotations"
        and "folder" in source
        and not Path(source["folder"]).is_dir()
    ]


def missing_files(config: dict) -> list[str]:
    """Return a line for each archive or annotation file that is not where it should be.

    What lies in `results/` is the workflow's own.
    """
    lines = []
    for name, dataset in config["datasets"].items():
        gone = [
            file.local
            for file in originals.of_files(dataset)
            if file.local
            and Path(file.local).parts[0] != "results"
            and not Path(file.local).is_file()
        ]
        lines += [f"datasets.{name}: there is no file '{path}'" for path in gone]
        if gone and "by_hand" in dataset["about"]:
            lines.append(f"datasets.{name}: {dataset['about']['by_hand'].strip()}")
    return lines
