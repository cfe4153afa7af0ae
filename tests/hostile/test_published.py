"""Published figures that cannot be read, that no score can have, or that are of unknown names."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from clones import ROOT
from planned import PLANNED, snakemake, written
from trials import Trial, run_trial

FILE = "workflow/resources/published.csv"
TEXT = (ROOT / FILE).read_text(encoding="utf-8")
HEAD = "study,variant,split,metric,class,value,note\n"
SOURCE = {"dataset": "d", "classes": None, "scored": "d", "split": "val", "epochs": {"unet": 1}}
TABLE = (
    *("seg.report.table", "--study", "s", "--title=t", "--eval-split", "val", "--scoring", "native", "--seeds", "0"),
    *("--published", FILE, "--variants", "unet=results", "--source", json.dumps(SOURCE), "--block", "1"),
    *(
        "--equivalence",
        "0.1",
        "--csv",
        "t.csv",
        "--markdown",
        "t.md",
        "--latex",
        "t.tex",
        "--pairs",
        "p.csv",
        "--figures",
        "f",
    ),
)
FRACTION = "write a fraction, or if the source prints this, a note that begins with 'impossible'"


def rows(*lines: str) -> Callable[[Path], None]:
    """Write a file of published figures with these rows."""
    return written(HEAD + "".join(f"{line}\n" for line in lines), FILE)


def added(*lines: str) -> Callable[[Path], None]:
    """Add rows to the repository's figures."""
    return written(TEXT + "".join(f"{line}\n" for line in lines), FILE)


def own_study(*lines: str) -> Callable[[Path], None]:
    """Add a study to `params.yaml`, and rows to the repository's figures."""

    def arrange(root: Path) -> None:
        content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        content["studies"]["mine"] = content["studies"]["cityscapes_fcn"]
        written(yaml.safe_dump(content, sort_keys=False))(root)
        added(*lines)(root)

    return arrange


ROWS = [
    ("a percentage", "s,unet,val,miou,,51.3,", rf"2: miou 51\.3 is outside of \[0, 1\]; {FRACTION}"),
    ("a negative score", "s,unet,val,miou,,-0.1,", rf"2: miou -0\.1 is outside of \[0, 1\]; {FRACTION}"),
    ("an infinite score", "s,unet,val,iou,car,inf,", rf"2: iou inf is outside of \[0, 1\]; {FRACTION}"),
    ("a negative loss", "s,unet,val,loss,,-1,", rf"2: loss -1 is outside of \[0, inf\]; {FRACTION}"),
    ("an infinite loss", "s,unet,val,loss,,inf,", rf"2: loss inf is outside of \[0, inf\]; {FRACTION}"),
    ("a note that explains nothing", "s,unet,val,miou,,2,odd", rf"2: miou 2 is outside of \[0, 1\]; {FRACTION}"),
    ("no number", "s,unet,val,miou,,high,", "2: 'high' is not a number; write a fraction or nan"),
    ("no value", "s,unet,val,miou,,,", "2: '' is not a number; write a fraction or nan"),
    ("a decimal comma", 's,unet,val,miou,,"0,5",', "2: '0,5' is not a number; write a fraction or nan"),
    ("a metric that is not known", "s,unet,val,mIou,,0.5,", r"2: metric 'mIou' is unknown; did you mean miou\?"),
    ("no metric", "s,unet,val,,,0.5,", "2: metric '' is unknown; known are loss, pixel_accuracy, .*"),
    ("an IoU of no class", "s,unet,val,iou,,0.5,", "2: iou: expected a class"),
    ("a mean of one class", "s,unet,val,miou,car,0.5,", "2: miou: 'car' is a class, which only iou has"),
    ("a cell too few", "s,unet,val,miou,,0.5", "2: expected 7 cells; put text that contains a comma in quotes"),
    ("a comma without quotes", "s,unet,val,iou,a,b,0.5,", "2: expected 7 cells; put text that contains a comma .*"),
    ("a line break in a class", 's,unet,val,iou,"a\nb",2,', rf"3: iou 2 is outside of \[0, 1\]; {FRACTION}"),
    ("a study that is not the table's", "t,unet,val,miou,,7,", rf"2: miou 7 is outside of \[0, 1\]; {FRACTION}"),
]
BESIDE = [
    ("a second figure", rows(*["s,unet,val,miou,,0.5,"] * 2), ", line 3: unet has a second figure .*; remove one"),
    ("no columns", written("", FILE), ": lacks the columns study, variant, .*; restore it from the repository"),
    ("other columns", written("a,b\n1,2\n", FILE), ": lacks the columns study, .*; restore it from the repository"),
    ("Latin-1", written(HEAD.encode() + b"s,unet,val,miou,,0.5,\xfc\n", FILE), ": not a CSV file in UTF-8 .*"),
    ("a quote that is not closed", rows('s,unet,val,miou,,0.5,"a'), ": not a CSV file in UTF-8 .*"),
    ("no file", lambda _: None, ": missing; restore it from the repository"),
]  # fmt: skip

TRIALS = [
    *(Trial(name, TABLE, rows(row), rf"error: {FILE}, line {line}") for name, row, line in ROWS),
    *(Trial(name, TABLE, arrange, f"error: {FILE}{line}") for name, arrange, line in BESIDE),
    snakemake("snakemake: a percentage", added("voc2012_fcn,unet,test,loss,,-2,"), f"error: {FILE}, line 170: .*"),
    *(
        snakemake(f"snakemake: {name}", added(*lines), f"error: {FILE}, line 17\\d: {line}", errors=len(lines))
        for name, lines, line in [
            (
                "a class and a study",
                ["cityscapes_fcn,unet,val,iou,cra,0.1,", "cityscape_fcn,unet,val,miou,,0.1,"],
                r"study 'cityscape_fcn' is unknown; did you mean cityscapes_fcn\?",
            ),
        ]
    ),
    snakemake(
        "snakemake: a variant of an own study",
        own_study("mine,unett,val,miou,,0.1,"),
        f"error: {FILE}, line 170: variant 'unett' is unknown; did you mean unet\\?",
    ),
    snakemake("snakemake: figures of an own study", own_study("mine,unet,val,miou,,0.1,"), PLANNED, code=0),
    snakemake(
        "snakemake: an explained figure beyond the range, a figure without a column, and quotes",
        added('cityscapes_fcn,unet,val,iou,rider,1.5,"impossible, ""as printed"""'),
        PLANNED,
        code=0,
    ),
]  # fmt: skip


@pytest.mark.parametrize("trial", TRIALS, ids=str)
def test_published_figures_that_cannot_be_used(trial: Trial, tmp_path: Path) -> None:
    run_trial(trial, tmp_path)
