"""What the workflow needs for each variant: packs, weights, manifests, result files and notes.

`Plan` derives paths and values from `Params`; it reads no file. The templates below are the path scheme of the project.
`{fold}` is `/fold<k>` where the dataset has folds, and empty otherwise.
"""

import re
from collections.abc import Iterable
from functools import cache, cached_property
from typing import Literal

from seg.config.description import downloadable
from seg.config.notes import study_notes
from seg.config.params import PackSpec, Params
from seg.config.recipe import WeightsFile
from seg.config.schema import GpuJob
from seg.system.files import canonical_json

RAW_FOLDER = "data/raw/{dataset}"
RAW_MANIFEST = "data/raw/{dataset}/manifest.json"
KEPT_MANIFEST = "data/manifests/{dataset}.json"
PACK_FOLDER = "data/packs/{preset}/{dataset}-{height}x{width}{fold}/"
WEIGHTS_FILE = "data/weights/{weights}.safetensors"
PRESET_FOLDER = "results/{preset}/"
STUDY_FOLDER = "results/{preset}/{study}/"
RUN_FOLDER = "results/{preset}/{study}/{variant}/seed{seed}{fold}/"

PackUse = Literal["train", "val", "eval"]
DatasetSource = Literal["rendered", "downloaded", "folder"]


def alternatives(names: Iterable[str]) -> str:
    """Regular expression that matches one of `names`, or nothing if there are none."""
    return "|".join(dict.fromkeys(names)) or "(?!)"


def launcher(gpus: int) -> list[str]:
    """Start of the command of a training: `torchrun` with one process per GPU if there are several."""
    torchrun = ["-m", "seg.training.launch", "--standalone", "--nproc-per-node", str(gpus)]
    return ["python", *(torchrun if gpus > 1 else [])]


class Plan:
    """Paths and values of the workflow under one `params.yaml`.

    Methods without an argument `preset` use the selected one. Recipes and packs are cached, because every input and
    parameter of a job needs them.
    """

    def __init__(self, params: Params) -> None:
        self.params = params
        self.recipe = cache(params.recipe)
        self.pack = cache(params.pack)
        self.description = cache(self._description)
        self.studies = [study for study in params.studies if params.variants(study)]
        self.variants = [(study, variant) for study in self.studies for variant in params.variants(study)]

    def folds(self, dataset: str) -> list[str]:
        """Values of `{fold}` in the paths of a dataset."""
        row = self.params.datasets[dataset]
        return [f"/fold{k}" for k in range(row.folds)] if row.folds and row.fold is None else [""]

    def fold_pattern(self) -> str:
        """Regular expression of `{fold}`; only the empty text if no dataset has folds."""
        return f"(?:{'|'.join(sorted({fold for dataset in self.params.datasets for fold in self.folds(dataset)}))})"

    def pack_stem(self, preset: str, study: str, variant: str, use: PackUse, fold: str = "") -> str:
        """Path without extension of the pack that a variant trains on, validates on or is evaluated on."""
        pack = self.pack(preset, study, variant, use)
        return _pack_file(preset, pack, pack.split, fold)

    def pack_pixels(self, preset: str, study: str, variant: str, use: PackUse, fold: str = "") -> list[str]:
        """Images and labels of the same pack."""
        stem = self.pack_stem(preset, study, variant, use, fold)
        return [f"{stem}.images.npy", f"{stem}.labels.npy"]

    def packs(self) -> list[str]:
        """`.json` of every pack that an enabled variant uses, and of the labels at their own size beside it."""
        preset = self.params.preset
        files = [(pack, f"{pack.split}.json") for pack in self._used_packs()]
        files += [(pack, f"{pack.split}.native.json") for pack in self._used_packs(["eval"])]
        return sorted(_pack_file(preset, pack, name, fold) for pack, name in files for fold in self.folds(pack.dataset))

    def statistics(self, preset: str, name: str = "statistics.json") -> dict[str, str]:
        """File `name` beside the training pack of each study's first variant, by dataset and fold."""
        return self._beside_first(preset, "train", name)

    def scored_packs(self, preset: str, use: PackUse) -> dict[str, str]:
        """`.json` of the pack that each study's first variant is validated or evaluated on, by dataset and fold."""
        return self._beside_first(preset, use)

    def picture_packs(self, preset: str) -> dict[str, str]:
        """`.json` of the pack that each study's first variant is evaluated on, by study and fold."""
        return {
            f"{study}{fold}": f"{self.pack_stem(preset, study, self.params.variants(study)[0], 'eval', fold)}.json"
            for study in self.studies
            for fold in self.folds(self.params.dataset(preset, study))
        }

    def training_packs(self, preset: str) -> dict[str, str]:
        """`.json` of the training pack of each variant, of the first fold, by study and variant."""
        fold = {study: self.folds(self.params.dataset(preset, study))[0] for study in self.studies}
        return {
            f"{study}/{variant}": f"{self.pack_stem(preset, study, variant, 'train', fold[study])}.json"
            for study, variant in self.variants
        }

    def raw_folder(self, dataset: str) -> str:
        """Directory of the files that the packs of a dataset are made from."""
        return RAW_FOLDER.format(dataset=self.params.files(dataset))

    def manifest(self, dataset: str) -> str:
        """Manifest of these files. In the directory of a user's own dataset nothing is written."""
        files = self.params.files(dataset)
        return (KEPT_MANIFEST if self._source(files) == "folder" else RAW_MANIFEST).format(dataset=files)

    def kept_manifests(self) -> list[str]:
        """Copy, versioned by DVC, of the manifest of every dataset that an enabled variant uses."""
        datasets = {self.params.files(pack.dataset) for pack in self._used_packs()}
        return sorted(KEPT_MANIFEST.format(dataset=dataset) for dataset in datasets)

    def datasets(self, source: DatasetSource) -> list[str]:
        """Datasets with their own files in `data/raw`, if the files are from this source."""
        own = (name for name in self.params.datasets if self.params.files(name) == name)
        return [name for name in own if self._source(name) == source]

    def descriptions(self, files: str) -> list[str]:
        """Descriptions of all datasets that are packed from the files of a dataset, each once."""
        names = [name for name in self.params.datasets if self.params.files(name) == files]
        return list(dict.fromkeys(map(self.description, names)))

    def _description(self, dataset: str, fold: str = "") -> str:
        """Description of a dataset's files and classes as JSON, with the number of the fold if it has folds."""
        content = self.params.datasets[dataset].description().model_dump(mode="json", exclude_unset=True)
        return canonical_json(content | ({"fold": int(fold.removeprefix("/fold"))} if fold else {}))

    def weights(self, preset: str, study: str, variant: str) -> list[str]:
        """File that a variant starts from; empty if it is initialized at random."""
        row = self.recipe(preset, study, variant, self.params.run_seeds(preset)[0]).weights
        return [] if row is None else [row.file if isinstance(row, WeightsFile) else WEIGHTS_FILE.format(weights=row)]

    def own_weights(self, preset: str, study: str, variant: str) -> list[str]:
        """The same file, if it is a user's own: no rule makes it."""
        return [file for file in self.weights(preset, study, variant) if file not in self.made_weights]

    @cached_property
    def made_weights(self) -> frozenset[str]:
        """Files that rules make and a variant can start from: named weights, models of enabled variants."""
        return frozenset([*self._models, *(WEIGHTS_FILE.format(weights=name) for name in self.params.weights)])

    @cached_property
    def _models(self) -> dict[str, tuple[str, str, str]]:
        """Preset, study and variant of every model of an enabled variant, by path."""
        return {
            file: (preset, study, variant)
            for preset in self.params.presets
            for study, variant in self.variants
            for file in self.study_files(preset, study, f"{RUN_FOLDER}model.safetensors".replace("{variant}", variant))
        }

    def check_weights(self) -> None:
        """Check that no training of the selected preset starts from its own result. Raises ValueError with one line."""
        for model, (preset, *_) in self._models.items():
            chain = [model]
            while preset == self.params.preset and chain[-1] in self._models:
                start = self.weights(*self._models[chain[-1]])
                if start and start[0] in chain:
                    circle = " starts from ".join([*chain[chain.index(start[0]) :], start[0]])
                    raise ValueError(f"weights: {circle}, its own result; give one of them another file or null")
                chain += start or [""]

    def folds_of(self, file: str) -> list[str]:
        """Models of the single folds of a training, given the path that its model would have without folds."""
        folder, _, name = file.rpartition("/")
        return [
            model for model in self._models if re.fullmatch(rf"{re.escape(folder)}/fold\d+/{re.escape(name)}", model)
        ]

    def all_weights(self) -> list[str]:
        """Files of named weights that the backbones of the enabled variants start from."""
        files = [self.weights(self.params.preset, study, variant) for study, variant in self.variants]
        named = {WEIGHTS_FILE.format(weights=name) for name in self.params.weights}
        return sorted(named.intersection(file for names in files for file in names))

    def weights_names(self, pretrained_here: bool) -> list[str]:
        """Names of the weights that are pretrained here on a pretext task, or of those that are downloaded."""
        return [name for name, row in self.params.weights.items() if bool(row.pretext) == pretrained_here]

    def study_files(self, preset: str, study: str, template: str) -> list[str]:
        """Paths of a template in one study: one path, or one per variant, seed and fold if the template names them."""
        variants = self.params.variants(study) if "{variant}" in template else [""]
        seeds = self.params.run_seeds(preset) if "{seed}" in template else [0]
        folds = self.folds(self.params.dataset(preset, study)) if "{fold}" in template else [""]
        return [
            template.format(preset=preset, study=study, variant=variant, seed=seed, fold=fold)
            for variant in variants
            for seed in seeds
            for fold in folds
        ]

    def files(self, templates: Iterable[str]) -> list[str]:
        """Paths of templates in every study."""
        return [
            file
            for template in templates
            for study in self.studies
            for file in self.study_files(self.params.preset, study, template)
        ]

    def variant_folders(self, preset: str, study: str) -> list[str]:
        """`variant=directory` for each variant of a study."""
        directory = STUDY_FOLDER.format(preset=preset, study=study)
        return [f"{variant}={directory}{variant}" for variant in self.params.variants(study)]

    def study_options(self, preset: str) -> list[str]:
        """`--study=name=directory` for each study."""
        directories = [STUDY_FOLDER.format(preset=preset, study=study).rstrip("/") for study in self.studies]
        return [f"--study={study}={path}" for study, path in zip(self.studies, directories, strict=True)]

    def statistics_options(self, preset: str) -> list[str]:
        """`--statistics=dataset=path` for each training pack of the report, and the same for the other packs."""
        files = {
            "statistics": self.statistics(preset),
            "validation": self.scored_packs(preset, "val"),
            "evaluation": self.scored_packs(preset, "eval"),
        }
        return [f"--{option}={dataset}={path}" for option, paths in files.items() for dataset, path in paths.items()]

    def picture_options(self, preset: str) -> list[str]:
        """`--pictures=study=path` for each of `picture_packs`, `--training=study/variant=path` of `training_packs`."""
        packs = {"pictures": self.picture_packs(preset), "training": self.training_packs(preset)}
        return [f"--{option}={name}={path}" for option, paths in packs.items() for name, path in paths.items()]

    def eval_split(self, preset: str, study: str) -> str:
        """Split of the study's dataset that the tables report."""
        return self.params.datasets[self.params.dataset(preset, study)].eval_split

    def fold_options(self, preset: str, study: str) -> list[str]:
        """`--folds=number` for the table of a study whose dataset has folds."""
        folds = self.folds(self.params.dataset(preset, study))
        return [f"--folds={len(folds)}"] if folds[1:] else []

    def own_classes(self, study: str) -> str:
        """Classes whose IoU the source of a study reports, as JSON."""
        return canonical_json(self.params.studies[study].classes)

    def source(self, preset: str, study: str) -> str:
        """What a study's source and this preset score, and the epochs before the preset, as JSON for the table."""
        row, scored = self.params.studies[study], self.params.dataset(preset, study)
        dataset = self.params.datasets[scored]
        epochs = {variant: self.params.values(study, variant)["epochs"] for variant in self.params.variants(study)}
        content = {"dataset": row.dataset, "classes": row.source_classes, "epochs": epochs}
        split = f"test of {dataset.folds} folds" if dataset.folds else dataset.eval_split
        return canonical_json(content | {"scored": scored, "split": dataset.official_split or split})

    def gpu_job(self, study: str | None, variant: str | None) -> GpuJob:
        """Cluster resources of a job on a GPU; those of the variant if `cluster.training_of` names it."""
        return self.params.cluster.training_of.get(f"{study}/{variant}", self.params.cluster.training)

    def notes(self, preset: str, study: str) -> str:
        """Notes on all variants of a study and on each variant as JSON."""
        seed = self.params.run_seeds(preset)[0]
        recipes = {variant: self.recipe(preset, study, variant, seed) for variant in self.params.variants(study)}
        return canonical_json(study_notes(self.params, preset, study, recipes))

    def _used_packs(self, uses: Iterable[PackUse] = ("train", "val", "eval")) -> set[PackSpec]:
        return {self.pack(self.params.preset, study, variant, use) for use in uses for study, variant in self.variants}

    def _beside_first(self, preset: str, use: PackUse, name: str = "") -> dict[str, str]:
        packs = [self.pack(preset, study, self.params.variants(study)[0], use) for study in self.studies]
        return {
            f"{pack.dataset}{fold}": _pack_file(preset, pack, name or f"{pack.split}.json", fold)
            for pack in packs
            for fold in self.folds(pack.dataset)
        }

    def _source(self, dataset: str) -> DatasetSource:
        row = self.params.datasets[dataset]
        own = {"images", "labels"} & row.model_fields_set  # a user's files may have the name of a published dataset
        return "rendered" if row.scenes else "downloaded" if dataset in downloadable() and not own else "folder"


def _pack_file(preset: str, pack: PackSpec, name: str, fold: str) -> str:
    return PACK_FOLDER.format(preset=preset, fold=fold, **pack._asdict()) + name
