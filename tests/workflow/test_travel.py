"""Results and Snakemake's records in other clones and other commits, transferred by DVC."""

import hashlib
import os
import random
import re
import shutil
import signal
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from clones import Clone, rerun
from moto.server import ThreadedMotoServer

from benchmarks.graph import finished

pytestmark = pytest.mark.workflow

DICE = "studies.cityscapes_fcn.variants.dice.lr"
RECORDS = ".snakemake/metadata"


@pytest.fixture(scope="module")
def sent(template: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The finished clone, committed by DVC and pushed to a directory; tests copy or clone it."""
    folder = tmp_path_factory.mktemp("travel")
    clone = Clone(Path(shutil.copytree(template.path, folder / "first", symlinks=True)))
    clone.run("git", "config", "user.name", "t")
    clone.run("git", "config", "user.email", "t@example.org")
    clone.run("dvc", "remote", "add", "--default", "store", str(folder / "store"))
    clone.run("dvc", "repro")
    commit(clone, "results")
    clone.run("dvc", "push")
    return clone


@pytest.fixture
def arrived(sent: Clone, tmp_path: Path) -> Clone:
    """A fresh clone of `sent`, before `dvc pull`."""
    return git_clone(sent, tmp_path / "second")


def git_clone(first: Clone, path: Path) -> Clone:
    first.run("git", "clone", "--quiet", str(first.path), str(path))
    clone = Clone(path)
    clone.run("git", "config", "user.name", "t")
    clone.run("git", "config", "user.email", "t@example.org")
    return clone


def commit(clone: Clone, message: str) -> None:
    clone.run("git", "add", "-A")
    clone.run("git", "commit", "--quiet", "-m", message)


def nothing_to_do(clone: Clone) -> None:
    assert clone.scheduled() == []
    assert "up to date" in clone.run("dvc", "status")


def shuffle_time_stamps(clone: Clone) -> None:
    chance = random.Random(0)
    for path in clone.path.rglob("*"):
        if path.is_file() and ".git" not in path.parts and ".dvc" not in path.parts:
            moment = time.time() - chance.uniform(0, 1e6)
            os.utime(path, (moment, moment))


def record(clone: Clone, file: str) -> Path:
    """Snakemake's record of a file."""
    return clone.path / RECORDS / urlsafe_b64encode(file.encode()).decode()


def models(clone: Clone) -> dict[str, int]:
    return {path.parts[-3]: path.stat().st_mtime_ns for path in clone.result("").glob("*/seed0/model.safetensors")}


def trained(clone: Clone, before: dict[str, int]) -> list[str]:
    return [name for name, moment in models(clone).items() if moment != before[name]]


def table(clone: Clone) -> bytes:
    return (clone.path / "results/demo/comparison.csv").read_bytes()


def test_there_and_back_and_through_history(sent: Clone, arrived: Clone, tmp_path: Path) -> None:
    arrived.run("dvc", "pull")
    shuffle_time_stamps(arrived)
    nothing_to_do(arrived)
    old, before = table(arrived), models(arrived)

    arrived.set(DICE, 0.004)
    assert arrived.scheduled() == rerun("dice")
    arrived.run("dvc", "repro")
    assert trained(arrived, before) == ["dice"]
    nothing_to_do(arrived)
    commit(arrived, "dice with a lower rate")
    arrived.run("dvc", "push")

    first = Clone(Path(shutil.copytree(sent.path, tmp_path / "first", symlinks=True)))
    first.run("git", "pull", "--quiet", str(arrived.path))
    first.run("dvc", "pull")
    nothing_to_do(first)
    assert table(first) == table(arrived) != old

    lines = first.run("python", "-m", "seg.cli", "diff", "HEAD~1").splitlines()
    marks = {line.split()[1]: line for line in lines[1:]}
    assert [name for name, line in marks.items() if not line.endswith("unchanged")] == ["dice"]
    assert "intervals " in marks["dice"]
    missing = first.run("python", "-m", "seg.cli", "diff", "HEAD~1", "--preset", "camvid", code=2)
    assert missing.startswith("error: results/camvid/comparison.csv: missing")

    for commit_id, expected in (("HEAD~1", old), ("-", table(arrived))):
        first.run("git", "checkout", "--quiet", commit_id)
        first.run("dvc", "checkout")
        assert table(first) == expected
        nothing_to_do(first)


def test_packs_that_were_not_pulled_are_made_again_and_retrain_nothing(arrived: Clone) -> None:
    arrived.run("dvc", "pull", "results/demo/cityscapes_fcn")
    refused = arrived.snakemake("-n", code=2).splitlines()[-1]
    assert re.match(r"error: results/demo/.*/model.safetensors and 5 others: no record of what made it; ", refused)

    arrived.run("dvc", "pull", "results/demo", RECORDS)
    shuffle_time_stamps(arrived)
    assert arrived.scheduled() == []
    assert not (arrived.path / "data/packs").exists()
    before = models(arrived)
    arrived.set(DICE, 0.004)
    arrived.snakemake()
    assert trained(arrived, before) == ["dice"]
    assert list((arrived.path / "data/packs").rglob("train.images.npy"))
    assert arrived.scheduled() == []


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a local S3 server with a bucket `results`; credentials only in the environment."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "t",
        "AWS_SECRET_ACCESS_KEY": "t",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    boto3.client("s3", endpoint_url=address).create_bucket(Bucket="results")
    yield address
    server.stop()


def test_a_remote_on_s3(sent: Clone, bucket: str, tmp_path: Path) -> None:
    first = Clone(Path(shutil.copytree(sent.path, tmp_path / "first", symlinks=True)))
    first.run("dvc", "remote", "add", "--default", "s3", "s3://results/store")
    first.run("dvc", "remote", "modify", "s3", "endpointurl", bucket)
    commit(first, "a remote on S3")
    first.run("dvc", "push")
    second = git_clone(first, tmp_path / "second")
    second.run("dvc", "pull")
    nothing_to_do(second)
    assert table(second) == table(sent)


@pytest.mark.parametrize("kind", ["hardlink", "symlink"])
def test_a_cache_that_snakemake_would_write_into_is_refused(arrived: Clone, kind: str) -> None:
    arrived.run("dvc", "config", "--local", "cache.type", kind)
    arrived.run("dvc", "pull")
    page = record(arrived, "results/demo/index.html")
    assert page.is_symlink() or page.stat().st_nlink > 1
    refusal = re.compile(
        rf"^error: {RECORDS}/\S+: a link into DVC's cache, which a run would overwrite; ", re.MULTILINE
    )
    arrived.edit("workflow/resources/published.csv", "baseline,val,miou,,0.2210", "baseline,val,miou,,0.2211")
    for command in (["snakemake", "-n"], ["snakemake", "--cores", "4"]):
        assert len(refusal.findall(arrived.run(*command, code=2))) == 1
    assert_cache_is_sound(arrived)
    arrived.run("dvc", "config", "--local", "cache.type", "copy")
    arrived.run("dvc", "checkout", "--relink")
    assert arrived.scheduled() == ["Report preset demo", "Tabulate cityscapes_fcn"]
    arrived.run("dvc", "repro")
    nothing_to_do(arrived)


@pytest.mark.parametrize("kind", ["hardlink", "symlink"])
def test_repro_replaces_links_by_copies_before_snakemake_runs(arrived: Clone, kind: str) -> None:
    arrived.run("dvc", "config", "--local", "cache.type", kind)
    arrived.run("dvc", "pull")
    arrived.edit("workflow/resources/published.csv", "baseline,val,miou,,0.2210", "baseline,val,miou,,0.2211")
    arrived.run("dvc", "repro")
    assert "0.2211" in arrived.result("table.csv").read_text()
    assert_cache_is_sound(arrived)
    assert "up to date" in arrived.run("dvc", "status")


def assert_cache_is_sound(clone: Clone) -> None:
    """Check that the content of every file in DVC's cache matches the hash in its name."""
    for path in (clone.path / ".dvc/cache/files/md5").glob("??/*"):
        assert hashlib.md5(path.read_bytes()).hexdigest() == path.parent.name + path.name.removesuffix(".dir")


def test_a_damaged_record_has_its_file_made_again(clone: Clone) -> None:
    run = "results/demo/cityscapes_fcn/dice/seed0"
    damages = {"metrics.json": b'{"rule": "evaluate_va', "confusion.npy": b"\x00\xff" * 40, "samples.png": b"[]"}
    for name, damage in damages.items():
        record(clone, f"{run}/{name}").write_bytes(damage)
    printed = clone.snakemake("-n")
    assert all(f"damaged, so it is unknown what made {run}/{name}; the file is made" in printed for name in damages)
    assert clone.scheduled() == [job for job in rerun("dice") if not job.startswith("Train")]
    before, figures = models(clone), (clone.path / run / "metrics.json").read_bytes()
    clone.snakemake()
    assert trained(clone, before) == []
    assert (clone.path / run / "metrics.json").read_bytes() == figures
    assert clone.scheduled() == []


def test_a_second_run_in_a_directory_is_refused(clone: Clone) -> None:
    clone.set("budgets.demo.epochs", {"cityscapes_fcn/baseline": 35})
    running = clone.start("snakemake", "--cores", "4")
    assert running.stdout
    next(line for line in running.stdout if line.startswith("epoch 2/"))
    os.killpg(running.pid, signal.SIGSTOP)  # so that it is still active while the others start
    kept = models(clone)
    for command in (["snakemake", "--cores", "4"], ["snakemake", "--cores", "4", "--", "data"], ["dvc", "repro"]):
        printed = clone.run(*command, code=2 if command[0] == "snakemake" else 255)
        assert printed.count("error: another run is active in this directory; wait for it") == 1
    assert "Report preset demo" in clone.scheduled()
    for look in (["-np"], ["--summary"], ["--rulegraph"], ["--report", "report.html"]):
        clone.run("snakemake", *look)
    assert models(clone) == kept
    os.killpg(running.pid, signal.SIGCONT)
    running.communicate()
    assert running.returncode == 0
    assert "Nothing to be done" in clone.snakemake()
    clone.run("dvc", "repro")
    nothing_to_do(clone)


def test_many_finished_variants_need_nothing(tmp_path: Path) -> None:
    finished(tmp_path, 60)
    nothing_to_do(Clone(tmp_path))
