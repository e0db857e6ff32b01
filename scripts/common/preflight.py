"""What a build needs of the machine, looked for before anything runs."""

import shutil
from pathlib import Path

from scripts.common import originals
from scripts.common.config.needs import split_lists

# The system's package that has a program.
PACKAGES = {"ffmpeg": "ffmpeg", "ffprobe": "ffmpeg", "unar": "unar"}
# Does as well.
ALTERNATIVES = {"unar": "unrar"}
# What `checkpoint` says where it names no file.
NO_FILES = ("published", "random", "imagenet")
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
        + "; write it in full, without ~" * source["folder"].startswith("~")
        for name, source in sources.items()
        if source != "annotations"
        and "folder" in source
        and not Path(source["folder"]).is_dir()
    ]


def missing_files(config: dict) -> list[str]:
    """Return a line for each file of the user's that is not where it should be.

    What lies in `results/` is the workflow's own.
    """
    lines = []
    for name, dataset in config["datasets"].items():
        gone = [
            file.local
            for file in originals.of_files(dataset)
            if file.local and _is_gone(file.local)
        ]
        lines += [f"datasets.{name}: there is no file '{path}'" for path in gone]
        if gone and "by_hand" in dataset["about"]:
            lines.append(f"datasets.{name}: {dataset['about']['by_hand'].strip()}")
        for splits in dataset["splits"]:
            lines += [
                f"datasets.{name}.splits.{splits}: there is no file '{path}'"
                for path in split_lists(dataset, splits)
                if _is_gone(path)
            ]
    return lines


def _is_gone(path: str) -> bool:
    return Path(path).parts[0] != "results" and not Path(path).is_file()


def missing_weights(config: dict) -> list[str]:
    """Return a line for each checkpoint that is not there, and that no training makes.

    Told here, as it would otherwise be noticed once all clips are made.
    """
    made = {
        Path(f"results/{dataset}/trainings/{name}/model.pt")
        for name, entry in config["trainings"].items()
        for dataset in entry["datasets"] or config["datasets"]
    }
    rafts = {name: entry.get("raft", {}) for name, entry in config["flow"].items()}
    entries = {
        **{f"models.{name}": entry for name, entry in config["models"].items()},
        **{f"trainings.{name}": entry for name, entry in config["trainings"].items()},
        **{f"flow.{name}.raft": entry for name, entry in rafts.items() if entry},
    }
    return [
        f"{place}.checkpoint: there is no file '{entry['checkpoint']}'"
        + ", and no training makes it" * entry["checkpoint"].startswith("results/")
        for place, entry in entries.items()
        if entry["checkpoint"] not in NO_FILES
        and Path(entry["checkpoint"]) not in made
        and not Path(entry["checkpoint"]).is_file()
    ]
