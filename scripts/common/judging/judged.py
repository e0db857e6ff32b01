"""What evaluations and probes found, read from their folders for the report."""

from dataclasses import dataclass
from pathlib import Path

from scripts.common import tables


@dataclass(frozen=True)
class Judged:
    """What an evaluation, a probe or a training found.

    Attributes:
        path: its folder.
        figures: of metrics.tsv, by name, without `weights`; none without labels.
        weights: sha256 of the model's, or what the random ones are.
        pictures: in the folder, by name.
    """

    path: Path
    figures: dict[str, str]
    weights: str
    pictures: list[Path]

    @property
    def title(self) -> str:
        """What kind it is, and its name."""
        return f"{self.path.parent.name.removesuffix('s')} {self.path.name}"


def read_judged(folder: Path) -> Judged:
    """Return what a folder of an evaluation, a probe or a training holds."""
    table = folder / "metrics.tsv"
    records = tables.records(table) if table.exists() else []
    figures = {record["metric"]: record["value"] for record in records}
    weights = figures.pop("weights", "")
    return Judged(folder, figures, weights, sorted(folder.glob("*.png")))
