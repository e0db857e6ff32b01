"""What a build needs of the machine, looked for before anything runs."""

import shutil
from pathlib import Path

# The system's package that has a program.
PACKAGES = {"ffmpeg": "ffmpeg", "ffprobe": "ffmpeg", "unar": "unar"}
# The environments of envs/ bring these; conda-forge has no unar.
BY_CONDA = {"ffmpeg", "ffprobe"}


def needed_programs(config: dict, conda: bool) -> list[str]:
    """Return the programs that a resolved configuration needs of the system.

    Args:
        config: the configuration.
        conda: whether rules run in their own environments.
    """
    sources = [dataset["source"] for dataset in config["datasets"].values()]
    archives = [path for source in sources for path in source.get("archives", [])]
    rar = any(path.lower().endswith(".rar") for path in archives)
    programs = ["ffmpeg", "ffprobe", *(["unar"] if rar else [])]
    return [program for program in programs if not (conda and program in BY_CONDA)]


def missing_programs(programs: list[str]) -> list[str]:
    """Return a line for each program that is not on the PATH: what installs it."""
    return [
        f"{program} is not installed: `sudo apt-get install {PACKAGES[program]}`"
        f" or `brew install {PACKAGES[program]}`"
        + (", or run snakemake with --use-conda" if program in BY_CONDA else "")
        for program in programs
        if shutil.which(program) is None
    ]


def missing_folders(config: dict) -> list[str]:
    """Return a line for each folder of videos that is not there."""
    folders = {
        name: dataset["source"].get("folder")
        for name, dataset in config["datasets"].items()
    }
    return [
        f"datasets.{name}.source.folder: there is no folder '{folder}'"
        for name, folder in folders.items()
        if folder and not Path(folder).is_dir()
    ]
