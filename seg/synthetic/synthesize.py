"""Stage `synthesize`: renders a dataset in the on-disk layout of the one that it replaces.

    python -m seg.synthetic.synthesize --layout cityscapes --height 96 --width 192 \
        --split train=64 --split val=24 --seed 7 --out data/raw/street/manifest.json

The manifest's folder is replaced as a whole. Scene k of a split depends only on the seed, the split's name and k.
"""

import hashlib
import multiprocessing
import os
import re
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seg.datasets.manifest import write_manifest
from seg.synthetic.rendered_layouts import RENDERED_LAYOUTS
from seg.system.arguments import StageParser
from seg.system.console import run_stage
from seg.system.files import remove_leftovers, replaced
from seg.system.signals import ignore_ending_signals

_LEAST = 32  # pixels; smaller things cannot be recognized
_POOL_PAYS = 10e6  # pixels; fewer are rendered before a second process has started
_VERSION = "2"  # of the scenes; increase it when a seed gives other images


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """The scenes of a dataset. Raises ValueError with one line per invalid value.

    Attributes:
        layout: key of `RENDERED_LAYOUTS`.
        height, width: of a scene, in pixels; the largest ones in a layout with images of many sizes.
        splits: number of scenes of each split.
        seed: 0 or more.
    """

    layout: str
    height: int
    width: int
    splits: dict[str, int]
    seed: int

    def __post_init__(self) -> None:
        bad = [
            f"--split {split}={count}: has no scenes; expected 1 or more"
            for split, count in self.splits.items()
            if count < 1
        ]
        if self.layout not in RENDERED_LAYOUTS:
            bad.append(f"--layout {self.layout}: is unknown; known are {', '.join(RENDERED_LAYOUTS)}")
        for name, value, least in (
            ("height", self.height, _LEAST),
            ("width", self.width, _LEAST),
            ("seed", self.seed, 0),
        ):
            if value < least:
                bad.append(f"--{name} {value}: is too small; expected {least} or more")
        if bad:
            raise ValueError("\n".join(bad))

    def generator(self, split: str, k: int) -> np.random.Generator:
        """Random generator of scene k of a split; does not depend on the number of scenes."""
        digest = hashlib.sha256(f"{self.seed}/{split}/{k}".encode()).digest()
        return np.random.Generator(np.random.Philox(int.from_bytes(digest)))

    def write(self, root: Path, split: str, k: int) -> None:
        """Render scene k of a split below `root`."""
        row = RENDERED_LAYOUTS[self.layout]
        row.save(root, split, k, row.render(self.generator(split, k), self.height, self.width))

    def write_all(self, root: Path, jobs: int) -> None:
        """Render every scene below `root`, in up to `jobs` processes if that is faster, and write the splits' lists."""
        for split, count in self.splits.items():
            RENDERED_LAYOUTS[self.layout].save_names(root, split, count)
        pairs = [(split, k) for split, count in self.splits.items() for k in range(count)]
        if jobs == 1 or len(pairs) * self.height * self.width < _POOL_PAYS:
            for split, k in pairs:
                self.write(root, split, k)
            return
        with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), ignore_ending_signals) as pool:
            tasks = [pool.submit(self.write, root, split, k) for split, k in pairs]
            try:
                for task in tasks:
                    task.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)  # nothing is written after the error
                raise

    def about(self) -> dict[str, str]:
        """Description for the manifest; `source` is the command that renders the scenes again."""
        splits = " ".join(f"--split {split}={count}" for split, count in self.splits.items())
        size = f"--height {self.height} --width {self.width}"
        return {
            "name": f"synthetic scenes in the layout '{self.layout}'",
            "version": _VERSION,
            "licence": "MIT",
            "citation": "none: rendered by this repository",
            "source": f"python -m seg.synthetic.synthesize --layout {self.layout} {size} {splits} --seed {self.seed}",
        }


def synthesize(out: Path, scenes: Scenes, jobs: int = 1) -> None:
    """Render scenes into the folder of `out`, in place of those of an earlier run, and write the manifest.

    Args:
        out: the manifest, in the dataset's folder.
        scenes: what to render.
        jobs: largest number of processes; does not affect the result.

    Raises:
        ValueError: the folder contains other files than rendered scenes.
        OSError: from the file system. The folder is then unchanged.
    """
    root = out.parent.resolve()  # it may be a link to a larger disk
    remove_leftovers(root)
    _refuse_foreign(root, RENDERED_LAYOUTS[scenes.layout].own, out.name)
    with replaced(root) as fresh:
        scenes.write_all(fresh, jobs)
        write_manifest(fresh / out.name, scenes.about())


def _refuse_foreign(root: Path, own: str, manifest: str) -> None:
    name = re.escape(manifest)
    known = re.compile(rf"{own}|{name}|\.{name}\..*\.part/.*")
    files = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir())
    foreign = [file for file in files if not known.fullmatch(file)]
    if foreign:
        raise ValueError(
            f"{root}: holds {len(foreign)} other files, such as {foreign[0]}, and would be replaced as a whole; "
            "give --out in a folder of its own"
        )


def parse_splits(texts: Iterable[str]) -> dict[str, int]:
    """Number of scenes by split, from texts such as `train=64`.

    Raises:
        ValueError: a text is malformed or a split is given twice: one line per error.
    """
    splits: dict[str, int] = {}
    bad = []
    for text in texts:
        match = re.fullmatch(r"([A-Za-z]\w*)=(\d+)", text, re.ASCII)
        if not match:
            bad.append(f"--split {text}: expected a name and a number of scenes, such as train=64")
        elif match[1] in splits:
            bad.append(f"--split {text}: the split '{match[1]}' is given twice; keep one")
        else:
            splits[match[1]] = int(match[2])
    if bad:
        raise ValueError("\n".join(bad))
    return splits


def main() -> None:
    """Render a dataset."""
    parser = StageParser("seg.synthetic.synthesize", main.__doc__)
    parser.add_argument("--layout", required=True, help=f"on-disk layout: {', '.join(RENDERED_LAYOUTS)}")
    parser.add_argument("--height", type=int, required=True, help="of a scene, in pixels")
    parser.add_argument("--width", type=int, required=True, help="of a scene, in pixels")
    parser.add_argument("--split", action="append", required=True, metavar="NAME=COUNT", help="once for every split")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at most (default: all cores)")
    parser.add_output("--out", ".json", "manifest to write; its folder is replaced as a whole")
    args = parser.parse_stage()
    if args.jobs < 1:
        raise ValueError(f"--jobs {args.jobs}: is too small; expected 1 or more")
    splits = parse_splits(args.split)
    scenes = Scenes(layout=args.layout, height=args.height, width=args.width, splits=splits, seed=args.seed)
    synthesize(args.out, scenes, args.jobs)


if __name__ == "__main__":
    run_stage(main)
