"""Programs that a build needs, looked for before anything runs."""

import shutil

# What provides a program where conda does not.
PACKAGES = {"ffmpeg": "ffmpeg", "ffprobe": "ffmpeg", "unar": "unar"}


def needed_programs(config: dict) -> list[str]:
    """Return the programs that a resolved configuration needs."""
    sources = [dataset["source"] for dataset in config["datasets"].values()]
    archives = [path for source in sources for path in source.get("archives", [])]
    rar = any(path.lower().endswith(".rar") for path in archives)
    return ["ffmpeg", "ffprobe", *(["unar"] if rar else [])]


def missing_programs(programs: list[str]) -> list[str]:
    """Return a line for each program that is not on the PATH: what installs it."""
    return [
        f"{program} is not installed: `sudo apt-get install {PACKAGES[program]}`"
        f" or `conda install -c conda-forge {PACKAGES[program]}`,"
        " or run snakemake with --use-conda"
        for program in programs
        if shutil.which(program) is None
    ]
