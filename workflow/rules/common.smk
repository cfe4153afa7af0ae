"""What the rules share: validated parameters, the digests of the code, where files lie."""

import shlex
import sys
from pathlib import Path

import yaml
from snakemake.iocontainers import Wildcards
from snakemake.utils import update_config

# A stage is `python -m seg.<stage>` in the repository's folder, with the interpreter that runs Snakemake.
sys.path.insert(0, str(workflow.basedir))
shell.prefix(f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; ")

from seg.console import say
from seg.digest import code_digest
from seg.files import canonical_json
from seg.params import load_params


def typed(value):
    """Values of --config, which come as text below the first level, read as in params.yaml."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return yaml.safe_load(value) if isinstance(value, str) else value


update_config(config, typed(workflow.config_settings.overwrite_config))

try:
    PARAMS = load_params(config)
except ValueError as error:
    for line in str(error).splitlines():
        say(f"error: {line}")
    sys.exit(2)

STUDIES = [study for study in PARAMS.studies if PARAMS.variants(study)]


wildcard_constraints:
    preset="|".join(PARAMS.presets),
    dataset="|".join(PARAMS.datasets),
    study="|".join(STUDIES),
    variant="|".join(dict.fromkeys(name for study in STUDIES for name in PARAMS.variants(study))),
    seed=r"\d+",
    split="train|val|test",
    height=r"\d+",
    width=r"\d+",


PACK = "data/packs/{preset}/{dataset}-{height}x{width}/"
TABLE = "results/{preset}/{study}/"
RUN = f"{TABLE}{{variant}}/seed{{seed}}/"


def pack_json(split):
    """An input function: the `.json` of the pack that a variant uses for a split; it holds the pixels' digests."""

    def path(wildcards):
        pack = PARAMS.pack(wildcards.preset, wildcards.study, wildcards.variant, split)
        return f"{PACK}{pack.split}.json".format(preset=wildcards.preset, **pack._asdict())

    return path


def pack_pixels(split):
    """An input function: the pixels of the same pack. They must be there, but what they are their `.json` says."""

    def paths(wildcards):
        stem = pack_json(split)(wildcards).removesuffix(".json")
        return [ancient(f"{stem}.images.npy"), ancient(f"{stem}.labels.npy")]

    return paths


def all_variants():
    """The wildcards of every variant under the chosen preset."""
    return [
        Wildcards(fromdict={"preset": PARAMS.preset, "study": study, "variant": variant})
        for study in STUDIES
        for variant in PARAMS.variants(study)
    ]


def recipe(wildcards):
    """The recipe of a training."""
    return PARAMS.recipe(wildcards.preset, wildcards.study, wildcards.variant, int(wildcards.seed))


def model_digest(stage):
    """A parameter function: the digest of a stage's code together with that of the recipe's model."""
    return lambda wildcards: code_digest(stage, f"seg.models.{recipe(wildcards).model.name}")


def runs(name):
    """An input function: a file of every training of a study."""

    def files(wildcards):
        return expand(
            RUN + name,
            preset=wildcards.preset,
            study=wildcards.study,
            variant=PARAMS.variants(wildcards.study),
            seed=PARAMS.seeds,
        )

    return files


def rendered(with_scenes):
    """A wildcard pattern: the data sets that are rendered, or those that are downloaded."""
    names = [name for name, row in PARAMS.datasets.items() if bool(row.scenes) == with_scenes]
    return "|".join(names) or "(?!)"


def statistics_paths(wildcards):
    """Statistics of the training pack of every study's first variant, by data set."""
    packs = [PARAMS.pack(wildcards.preset, study, PARAMS.variants(study)[0], "train") for study in STUDIES]
    return {pack.dataset: f"{PACK}statistics.json".format(preset=wildcards.preset, **pack._asdict()) for pack in packs}


def study_notes(study):
    """JSON of what the table has to say of the study and of each variant, and which values are not the source's."""
    rows = PARAMS.studies[study].variants
    notes = {study: PARAMS.studies[study].notes} | {
        variant: [*rows[variant].notes, *(f"{key}: ours, the source gives none" for key in rows[variant].ours)]
        for variant in PARAMS.variants(study)
    }
    return canonical_json(notes)
