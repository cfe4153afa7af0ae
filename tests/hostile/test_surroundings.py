"""Where a command runs: directories without permission, other directories, an odd environment."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from clones import ROOT
from trials import Trial, run_trial

Arrange = Callable[[Path], None]

# Root may write everywhere. Without its capabilities it is refused what other users are refused.
USER = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ("env",)
SNAKEMAKE = ("snakemake", "--cores", "1", "--snakefile", str(ROOT / "Snakefile"))
DRY = (*SNAKEMAKE, "-n", "--", "data/raw/streets/manifest.json")
RUN = (*SNAKEMAKE, "--", "data/raw/streets/manifest.json")
RECORDS = (".snakemake*", "logs*")
NOT_WRITABLE = r"not writable; give yourself access with chmod or chown, or use another directory \(.+\)"
DENIED = r"Permission denied; give yourself access with chmod or chown, or use another path"
MISSING = r"No such file or directory; check the path and run again"
DONE = r"This was a dry-run.*"
STATISTICS = ("seg.data.statistics", "--pack", "pack.json", "--out", "out/statistics.json")
TABLE = "results/demo/comparison.csv"
ROW = "study,variant,split,images,miou,miou_low,miou_high,miou_std,schema_version\na,b,val,1,0.5,,,,1\n"


def nothing(root: Path) -> None:
    """Leave the directory empty."""


def folder(*paths: str, mode: int = 0o755) -> Arrange:
    def arrange(root: Path) -> None:
        for path in paths:
            (root / path).mkdir(parents=True, exist_ok=True)
        (root / paths[-1]).chmod(mode)

    return arrange


def file(path: str, content: str = "", mode: int = 0o644) -> Arrange:
    def arrange(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
        (root / path).chmod(mode)

    return arrange


def link(path: str, target: str) -> Arrange:
    return lambda root: (root / path).symlink_to(target)


def as_user(*command: str) -> tuple[str, ...]:
    return (*USER, *command)


def python(*command: str) -> tuple[str, ...]:
    return as_user("python", "-m", *command)


# In the process of the tests.
ERRORS = [
    Trial("no params.yaml", ("seg.cli", "show", "cityscapes_fcn/unet"), nothing, rf"error: params\.yaml: {MISSING}"),
    Trial("a directory as params.yaml", ("seg.cli", "show", "a/b"), folder("params.yaml"),
          r"error: params\.yaml: Is a directory; give a file"),
    Trial("no params.yaml for a comparison", ("seg.cli", "diff", "HEAD"), nothing,
          rf"error: params\.yaml: {MISSING}"),
    Trial("no results", ("seg.cli", "diff", "HEAD", "--preset", "demo"), nothing,
          r"error: results/demo/comparison\.csv: missing; run the workflow to its report"),
    Trial("a directory as a table", ("seg.cli", "diff", "HEAD", "--preset", "demo"),
          folder("results/demo/comparison.csv"), r"error: results/demo/comparison\.csv: Is a directory; give a file"),
    Trial("a file as a dataset", ("seg.cli", "doctor", "data", "--layout", "folder"), file("data"),
          r"error: data: no such directory; give the dataset's directory"),
    Trial("no dataset", ("seg.cli", "doctor", "data", "--layout", "folder"), nothing,
          r"error: data: no such directory; give the dataset's directory"),
    Trial("an unknown layout", ("seg.cli", "doctor", ".", "--layout", "foldr"), nothing,
          r"error: layout 'foldr' is unknown; did you mean 'folder'\? known are .+"),
    Trial("no manifest", ("seg.data.pack", "--manifest", "m.json", "--dataset", "camvid", "--split", "train",
                          "--height", "8", "--width", "8", "--out", "pack"), nothing, rf"error: m\.json: {MISSING}"),
    Trial("no pack", STATISTICS, nothing, r"error: pack\.json: missing; delete the pack and run again"),
    Trial("a directory as a pack", STATISTICS, folder("pack.json"), r"error: pack\.json: Is a directory; give a file"),
    Trial("an empty pack", STATISTICS, file("pack.json"),
          r"error: pack\.json: not a JSON file \(.+\); delete it and run again"),
    Trial("a pack that is a list", STATISTICS, file("pack.json", "[]"),
          r"error: pack\.json: schema version None, expected 2; delete the pack and run again"),
    Trial("a pack of another version", STATISTICS, file("pack.json", '{"schema_version": 1}'),
          r"error: pack\.json: schema version 1, expected 2; delete the pack and run again"),
    Trial("a pack without its keys", STATISTICS, file("pack.json", '{"schema_version": 2, "images": 1}'),
          r"error: pack\.json: lacks classes, form, height, .+; delete the pack and run again"),
    Trial("a page without a study", ("seg.report.page", "--preset", "demo", "--title", "t", "--study", "a=b",
                                     "--comparison=c.csv", "--history=h.csv", "--metrics=m.json", "--page=p.html",
                                     "--latex=c.tex", "--figures=f", "--classes=k.csv", "--confusion=m.csv"),
          nothing, r"error: b/table\.csv: missing; .+"),
]  # fmt: skip

PROCESSES = [
    Trial("records without permission", as_user(*DRY), folder(".snakemake", mode=0o555),
          rf"error: \S+/\.snakemake: {NOT_WRITABLE}", process=True),
    Trial("a directory without permission", as_user(*RUN), lambda root: root.chmod(0o555),
          rf"error: \S+: {NOT_WRITABLE}", process=True),
    Trial("data without permission", as_user(*RUN), folder("data", mode=0o555), rf"error: \S+/data: {NOT_WRITABLE}",
          process=True, writes=RECORDS),
    Trial("logs without permission", as_user(*RUN), folder("logs", "logs/data", mode=0o555),
          rf"error: \S+/logs/data: {NOT_WRITABLE}", process=True, writes=RECORDS),
    Trial("data is a file", RUN, file("data"), r"error: data: not a directory; move it away", process=True,
          writes=(".snakemake*",)),
    Trial("raw data is a file", RUN, file("data/raw"), r"error: data/raw: not a directory; move it away", process=True,
          writes=RECORDS),
    Trial("results are a file", DRY, file("results"), r"error: results: not a directory; move it away", process=True,
          writes=(".snakemake*",)),
    Trial("records are a file", DRY, file(".snakemake"), r"error: \.snakemake: not a directory; move it away",
          process=True),
    Trial("an unknown target", (*SNAKEMAKE, "-n", "--", "dataa"), nothing,
          r"error: dataa: not a target; did you mean data\?", process=True, writes=(".snakemake*",)),
    Trial("an unknown file", (*SNAKEMAKE, "-n", "--", "results/demo/cityscapes_fcn/tabel.csv"), nothing,
          r"error: results/demo/\S+/tabel\.csv: not a target; did you mean results/demo/cityscapes_fcn/table\.csv\?",
          process=True, writes=(".snakemake*",)),
    Trial("a rule with wildcards", (*SNAKEMAKE, "-n", "--", "train_variant"), nothing,
          r"error: train_variant: not a target; known are all, data", process=True, writes=(".snakemake*",)),
    Trial("a repository with braces in its path", (*SNAKEMAKE[:-1], "{x}/Snakefile", "-n"), link("{x}", str(ROOT)),
          r"error: \S+/\{x\}: Snakemake takes braces in the path for wildcards; rename it", process=True,
          writes=(".snakemake*",)),
    Trial("no home", ("env", "-u", "HOME", *DRY), nothing, DONE, code=0, errors=0, process=True, writes=RECORDS),
    Trial("a home without permission", DRY, nothing, DONE, code=0, errors=0, process=True, writes=RECORDS,
          variables={"HOME": "/proc/home", "XDG_CACHE_HOME": "/proc/cache", "TMPDIR": "/proc/tmp"}),
    Trial("a dataset without permission", python("seg.cli", "doctor", "private", "--layout", "folder"),
          folder("private", mode=0), rf"error: private/dataset\.yaml: {DENIED}", process=True),
    Trial("params.yaml without permission", python("seg.config.params"), file("params.yaml", mode=0),
          rf"error: params\.yaml: {DENIED}", process=True),
    Trial("an output without permission", python("seg.data.statistics", "--pack", "p.json", "--out", "private/s.json"),
          folder("private", mode=0), rf"error: private/s\.json: {DENIED}", process=True),
    Trial("outside a git checkout", ("seg.cli", "diff", "HEAD", "--preset", "demo"), file(TABLE, ROW),
          r"error: HEAD: not a git repository \(.+\): \.git; run in a checkout of the project", process=True),
    Trial("an unknown commit", ("sh", "-c", "git init -q && python -m seg.cli diff gone --preset demo"),
          file(TABLE, ROW), r"error: gone: no commit of this repository; `git log --oneline -- dvc\.lock` lists some",
          process=True, writes=(".git*",)),
    Trial("a full disk as the output", ("sh", "-c", "python -m seg.config.params --schema > /dev/full"), nothing,
          r"error: No space left on device; free some space and run again", process=True),
    Trial("a closed output", ("sh", "-c", f"python -m seg.config.params {ROOT}/params.yaml >&-; echo $?"), nothing,
          "0", code=0, errors=0, process=True),
    Trial("a reader that ends", ("sh", "-c", "python -m seg.config.params --schema | true"), nothing,
          r"error: Broken pipe; the program that read the output has ended", code=0, process=True),
    Trial("an encoding without the file's name", ("seg.cli", "doctor", "é", "--layout", "folder"), nothing,
          r"error: .+: no such directory; give the dataset's directory", process=True,
          variables={"PYTHONIOENCODING": "ascii:strict"}),
]  # fmt: skip


@pytest.mark.parametrize("trial", [*ERRORS, *PROCESSES], ids=str)
def test_places_that_a_command_runs_in(trial: Trial, tmp_path: Path) -> None:
    (tmp_path / "cwd").mkdir()
    run_trial(trial, tmp_path / "cwd")
