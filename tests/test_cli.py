import os
import subprocess
import sys

from scripts.common import files
from tests.projects import ROOT


def test_names_that_are_no_text_do_not_end_a_program_that_prints_them(tmp_path):
    results = tmp_path / os.fsdecode(b"caf\xe9")
    files.write_text(results / "index" / "shards.tsv", "shard\trows\n00000\t1\n")
    (results / "report.html").touch()
    printed = subprocess.check_output(
        [sys.executable, "-m", "scripts.show_results", results],
        env=os.environ | {"PYTHONIOENCODING": "utf-8:strict"},
        cwd=ROOT,
        text=True,
    )
    assert "caf\\udce9/report.html" in printed
