"""What people give to `seg predict`: directories, patterns, broken files, options that contradict each other."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from trials import Trial, contents, run_trial

from seg.config.recipe import Recipe
from seg.models import build_model
from seg.models.checkpoint import save_checkpoint

ABOUT = {"classes": ["a", "b"], "palette": [[1, 2, 3], [4, 5, 6]], "precision": "fp32"}
FITTING = {"label_values": [3, 7], "eval_size": [32, 48]}
Arrange = Callable[[Path], None]


@pytest.fixture(scope="module")
def write_model(tiny_recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:
    """Content of a checkpoint of the FCN with this metadata."""
    torch.manual_seed(0)
    network, path = build_model("fcn", 2, {}), tmp_path_factory.mktemp("model") / "model.safetensors"

    def write(**about: object) -> bytes:
        save_checkpoint(path, network, tiny_recipe, ABOUT | about)
        return path.read_bytes()

    return write


def tree(*names: str) -> Arrange:
    """Images, and files that are none if their name says so."""

    def arrange(root: Path) -> None:
        for k, name in enumerate(names):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            if "broken" in name or name.endswith(".txt"):
                (root / name).write_text("no image")
            else:
                pixels = np.random.default_rng(k).integers(0, 256, (40 + k, 60, 3), np.uint8)
                Image.fromarray(pixels).save(root / name)

    return arrange


def written(name: str, pixels: np.ndarray) -> Arrange:
    """An image of any depth and number of bands."""

    def arrange(root: Path) -> None:
        if name.endswith(".tif"):
            photometric = "minisblack" if pixels.ndim == 3 else None
            tifffile.imwrite(root / name, pixels, photometric=photometric, planarconfig="contig")
        else:
            Image.fromarray(pixels).save(root / name)

    return arrange


def predict(
    name: str,
    arguments: str,
    arrange: Arrange,
    line: str,
    code: int = 0,
    errors: int | None = None,
    writes: Sequence[str] = (),
    process: bool = False,
) -> Trial:
    given = ("seg.cli", "predict", "model.safetensors", *arguments.split())
    count = int(code > 0) if errors is None else errors
    return Trial(name, given, arrange, line, code, count, ["predictions", *writes] if writes else [], process=process)


BOTH = tree("day/a.jpg", "day/sub/b.webp", "night/a.jpg", "night/._a.jpg", "night/notes.txt")
LABELS = ["predictions/day", "predictions/night", "predictions/day/sub", "predictions/*/*.png"]
TRIALS = [
    predict("two directories", "day night", BOTH, r"predictions/night/a\.png", writes=LABELS, process=True),
    predict("a pattern", "*/a.jpg", BOTH, r"predictions/day/a\.png", writes=LABELS),
    predict("a pattern of directories", "n*", BOTH, r"predictions/night/a\.png", writes=["predictions/night*"]),
    predict("everything, twice given", ". day", BOTH, r"predictions/day/sub/b\.png", writes=LABELS),
    predict("all outputs", "day --overlay --probabilities --shares", BOTH, r"predictions/sub/b\.png",
            writes=["predictions/*"]),
    predict("tiles and mirrored passes", "day --tile --tile-size 32 --overlap 16 --tta", BOTH, r"predictions/a\.png",
            writes=["predictions/*"]),
    predict("a broken file among others", "day", tree("day/a.png", "day/broken.png", "day/c.png"),
            r"error: day/broken\.png: cannot be decoded .*; replace the file", 1,
            writes=["predictions/a.png", "predictions/c.png"], process=True),
    predict("thirty broken files", "day", tree("day/a.png", *(f"day/broken{k}.png" for k in range(30))),
            r"error: 27 more files: cannot be decoded .*", 1, 4, writes=["predictions/a.png"]),
    predict("only broken files", "day", tree("day/broken.png"), r"error: day/broken\.png: cannot be decoded .*", 1),
    predict("a directory without images", "day", tree("day/notes.txt"), r"error: day: no images there; expected .*", 2),
    predict("a pattern without images", "day/*.tif", BOTH, r"error: day/\*\.tif: no images there; expected .*", 2),
    predict("a missing file among others", "day nihgt", BOTH, r"error: nihgt: No such file or directory; .*", 2),
    predict("a device", "/dev/null", BOTH, r"error: /dev/null: is a device, expected an image or .*", 2),
    predict("an overlap of more than half a tile", "day --tile --overlap 17", BOTH,
            r"error: --overlap 17: expected 0 to 16, half of the tiles' shorter side", 2),
    predict("an overlap without tiles", "day --overlap 17", BOTH, r"error: --overlap 17: .*; add --tile", 2),
    predict("tiles and windows", 'day --tile --inference {"window":[32,32],"stride":[16,16]}', BOTH,
            r"error: --tile and a window of --inference: give one of them", 2),
    predict("a size that is none", "day --tile-size 12,5", BOTH, r"error: --tile-size 12,5: expected pixels .*", 2),
    predict("an unknown encoding", "day --encoding id", BOTH,
            r"error: --encoding id: unknown; did you mean 'ids'.*", 2),
    predict("too many pixels", "day --max-pixels 100", tree("day/a.png"),
            r"error: day/a\.png: Image size \(2400 pixels\) exceeds limit of 100 .* --max-pixels", 1),
    predict("too many pixels for tiles", "day --tile --max-pixels 100", tree("day/a.png"),
            r"error: day/a\.png: Image size .*; raise --max-pixels", 1),
    predict("16 bits for a model of 8", "deep.png", written("deep.png", np.full((40, 60), 4000, np.uint16)),
            r"error: deep\.png: has 16 bits per channel with values from 4000 to 4000, but the model was trained on "
            r"grey or RGB images with 8 bits per channel; convert the file, .*", 1),
    predict("four bands for a model of RGB", "bands.tif", written("bands.tif", np.zeros((40, 60, 4), np.uint8)),
            r"error: bands\.tif: has 4 bands, but the model was trained on grey or RGB images .*; convert .*", 1),
    predict("transparency", "clear.png", written("clear.png", np.eye(60, 240, dtype=np.uint8).reshape(60, 60, 4)),
            r"warning: the transparency of 1 of 1 images, such as clear\.png, is not used",
            writes=["predictions/clear.png"]),
    predict("an image named as the legend", "day --overlay", tree("day/legend.png"),
            r"error: the summary of all images: would be written to predictions/legend\.png, as day/legend.*", 2),
    predict("an image named as an overlay", "day --overlay", tree("day/a.png", "day/a.overlay.jpg"),
            r"error: day/a\.png: would be written to predictions/a\.overlay\.png, as day/a\.overlay\.jpg; .*", 2),
]  # fmt: skip


@pytest.mark.parametrize("trial", TRIALS, ids=str)
def test_arguments(trial: Trial, write_model: Callable[..., bytes], tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(write_model(**FITTING))
    run_trial(trial, tmp_path)


def test_a_model_of_an_earlier_version(write_model: Callable[..., bytes], tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(write_model())
    line = r"warning: model\.safetensors: has no label_values and no eval_size, as it was trained by an earlier .*"
    run_trial(predict("a model", "day", tree("day/a.png"), line, writes=["predictions/a.png"]), tmp_path)


def test_ids_that_do_not_fit_into_a_png(write_model: Callable[..., bytes], tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(write_model(eval_size=[32, 48], label_values=[0, 70_000]))
    line = r"error: id 70000 is not in 0 to 65535, the ids of a PNG; use --encoding train_ids"
    run_trial(predict("ids", "day", tree("day/a.png"), line, 2), tmp_path)


def test_a_second_run_finds_no_predictions_among_its_images(write_model: Callable[..., bytes], tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(write_model(**FITTING))
    trial = predict("everything", ". --overwrite", tree("a.png"), r"predictions/a\.png", writes=["predictions/a.png"])
    run_trial(trial, tmp_path)
    before = contents(tmp_path)
    run_trial(trial, tmp_path)
    assert contents(tmp_path) == before


def test_probabilities_on_a_full_disk(write_model: Callable[..., bytes], tmp_path: Path, small_disk: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(write_model(**FITTING))
    image = Image.new("RGB", (1000, 900))
    line = r"error: disk/out: No space left on device; free some space and run again"
    arguments = f"a.png --probabilities --out {small_disk.name}/out"
    run_trial(
        predict("a full disk", arguments, lambda root: image.save(root / "a.png"), line, 2, writes=["disk/out"]),
        tmp_path,
    )
