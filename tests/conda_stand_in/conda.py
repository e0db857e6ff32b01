"""A stand-in for `conda` that builds each environment from PyPI's twin packages.

It answers what Snakemake's `--sdm conda` asks, and no more:

    conda --version, conda info --json, conda config --get channel_priority --json,
    conda clean, conda env create --file FILE --prefix PREFIX

An environment has what its file names, in the versions of uv.lock, and nothing else: a
package or a program that the file forgets is not found. A package without a known twin
is an error.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# PyPI's names where they differ from conda-forge's.
TWINS = {
    "backports.zstd": "backports-zstd",
    "matplotlib-base": "matplotlib",
    "py-opencv": "opencv-contrib-python-headless",
    "pytorch": "torch",
    "pytorch-lightning": "lightning-fabric",
    "snakemake-minimal": "snakemake",
}
# Packages of programs, which are taken from the system.
PROGRAMS = {"ffmpeg": ("ffmpeg", "ffprobe")}


def twin(spec: str) -> str | None:
    """Return PyPI's requirement for a match spec; None for Python and programs.

    >>> twin("pytorch >=2.9,<3")
    'torch>=2.9,<3'
    """
    name, version = spec.split(" ")
    if name == "python" or name in PROGRAMS:
        return None
    return TWINS.get(name, name) + version


def create(file: Path, prefix: Path) -> None:
    """Build an environment.

    Raises:
        subprocess.CalledProcessError: uv cannot install what the file names.
    """
    specs = yaml.safe_load(file.read_text())["dependencies"]
    required = [requirement for spec in specs if (requirement := twin(spec))]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as locked:
        export = ["uv", "export", "--frozen", "--no-hashes", "--quiet"]
        export += ["--no-emit-project", "--project", ROOT]
        subprocess.run(export, stdout=locked, check=True)
        subprocess.run(
            ["uv", "venv", "--quiet", "--python", sys.executable, prefix], check=True
        )
        install = ["uv", "pip", "install", "--quiet", "--constraint", locked.name]
        install += ["--python", prefix / "bin/python", *required]
        subprocess.run(install, check=True)
    link_system(prefix / "system")
    for spec in specs:
        for program in PROGRAMS.get(spec.split(" ")[0], ()):
            (prefix / "bin" / program).symlink_to(shutil.which(program))


def link_system(folder: Path) -> None:
    """Link the system's programs, but for those that conda brings, and Python."""
    hidden = {program for names in PROGRAMS.values() for program in names}
    folder.mkdir()
    for program in [*Path("/usr/bin").iterdir(), *Path("/bin").iterdir()]:
        link = folder / program.name
        if program.name in hidden or program.name.startswith(("python", "deno")):
            continue
        if not link.is_symlink():
            link.symlink_to(program)


def main(arguments: list[str]) -> None:
    """Answer as conda does."""
    match arguments:
        case ["--version"]:
            print("conda 24.7.1")
        case ["info", "--json"]:
            print(json.dumps({"conda_prefix": str(HERE), "platform": "linux-64"}))
        case ["config", "--get", "channel_priority", "--json"]:
            print(json.dumps({"get": {"channel_priority": "strict"}}))
        case ["clean", *_]:
            pass
        case ["env", "create", *options]:
            file = Path(options[options.index("--file") + 1])
            create(file, Path(options[options.index("--prefix") + 1]))
        case _:
            sys.exit(f"this stand-in for conda does not know: {arguments}")


if __name__ == "__main__":
    main(sys.argv[1:])
