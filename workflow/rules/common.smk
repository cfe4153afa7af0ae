"""What the rules share: validated parameters, the digests of the code, where files lie."""

import base64
import gc
import json
import os
import shlex
import sys
import zlib
from functools import cache
from pathlib import Path

import yaml
from snakemake.io import strip_wildcard_constraints
from snakemake.iocontainers import Wildcards
from snakemake.settings.types import DeploymentMethod
from snakemake.utils import update_config

# A stage is `python -m seg.<stage>` in the repository's folder, with the interpreter that runs Snakemake, or conda's.
sys.path.insert(0, str(workflow.basedir))
gc.set_threshold(100_000)  # a graph of jobs is no garbage; to look for some less often saves a quarter of the time
if DeploymentMethod.CONDA not in workflow.deployment_settings.deployment_method:
    # A prefix replaces Snakemake's own, by which a stage that fails is not hidden by `tee`'s success.
    shell.prefix(f"set -euo pipefail; export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; ")

from seg.system.console import say
from seg.datasets.catalogue import missing
from seg.datasets.manifest import covered
from seg.digest import code_digest
from seg.system.files import canonical_json, sha256
from seg.config.params import load_params


def typed(value):
    """Values of --config, which come as text below the first level, read as in params.yaml."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return yaml.safe_load(value) if isinstance(value, str) else value


# A job on a cluster reads the rules again when it starts. What the run began with is handed on to it, so that editing
# `params.yaml` while it waits changes nothing; packed, because the system bounds the length of a variable.
FROZEN = "SEG_PARAMS"

if workflow.is_main_process:
    update_config(config, typed(workflow.config_settings.overwrite_config))
    os.environ[FROZEN] = base64.b64encode(zlib.compress(canonical_json(config).encode())).decode()
else:
    config = json.loads(zlib.decompress(base64.b64decode(os.environ[FROZEN])))

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
    weights="|".join(PARAMS.weights),
    study="|".join(STUDIES),
    variant="|".join(dict.fromkeys(name for study in STUDIES for name in PARAMS.variants(study))),
    seed=r"\d+",
    split="train|val|test",
    height=r"\d+",
    width=r"\d+",


PACK = "data/packs/{preset}/{dataset}-{height}x{width}/"
TABLE = "results/{preset}/{study}/"
RUN = f"{TABLE}{{variant}}/seed{{seed}}/"


# What a variant comes to is asked for by every input and parameter of its jobs.
recipe_of = cache(PARAMS.recipe)
pack_of = cache(PARAMS.pack)


def json_of(preset, pack):
    """The `.json` of a pack."""
    return f"{PACK}{pack.split}.json".format(preset=preset, **pack._asdict())


def pack_json(split):
    """An input function: the `.json` of the pack that a variant uses for a split; it holds the pixels' digests."""

    def path(wildcards):
        return json_of(wildcards.preset, pack_of(wildcards.preset, wildcards.study, wildcards.variant, split))

    return path


def pack_pixels(split):
    """An input function: the pixels of the same pack. They must be there, but what they are their `.json` says."""

    def paths(wildcards):
        stem = pack_json(split)(wildcards).removesuffix(".json")
        return [ancient(f"{stem}.images.npy"), ancient(f"{stem}.labels.npy")]

    return paths


def all_packs():
    """The packs of every variant under the chosen preset."""
    return {
        pack_of(variant.preset, variant.study, variant.variant, split)
        for variant in all_variants()
        for split in ("train", "val", "eval")
    }


def manifests():
    """The kept manifest of every data set that the chosen preset packs."""
    return sorted({f"data/manifests/{PARAMS.files(pack.dataset)}.json" for pack in all_packs()})


def compare_anew_after(proxy, files):
    """Have what follows a rule compared by content when it has run, where its files are not all there.

    What was left behind and is made again the same then reruns nothing. Snakemake does so after a checkpoint; always
    one, it would look at the whole graph twice.
    """
    proxy.rule.is_checkpoint = not all(Path(file).exists() for file in files)


def missing_data():
    """A line for every data set that a job of this run is to get and that only a person can."""

    def wanted(rule):
        return sorted({job.wildcards.dataset for job in workflow.dag.needrun_jobs() if job.rule.name == rule})

    own = [Path("data/raw", name) for name in wanted("register_folder")]
    return missing(wanted("download_dataset"), Path("data/archives"), Path("data/raw")) + [
        f"{folder}: missing; put images/, labels/ and classes.yaml there" for folder in own if not folder.is_dir()
    ]


def refuse_missing_data():
    """Stop before the first job where a person has to get something first."""
    lines = missing_data()
    for line in lines:
        say(f"error: {line}")
    if lines:
        sys.exit(2)


def all_variants():
    """The wildcards of every variant under the chosen preset, with the first seed."""
    seed = str(PARAMS.seeds[0])
    return [
        Wildcards(fromdict={"preset": PARAMS.preset, "study": study, "variant": variant, "seed": seed})
        for study in STUDIES
        for variant in PARAMS.variants(study)
    ]


def recipe(wildcards):
    """The recipe of a training."""
    return recipe_of(wildcards.preset, wildcards.study, wildcards.variant, int(wildcards.seed))


def raw(wildcards):
    """The manifest of the files that a pack is made from."""
    return f"data/raw/{PARAMS.files(wildcards.dataset)}/manifest.json"


def own_files(wildcards):
    """All files of a folder of the user's own that its manifest names."""
    root = Path("data/raw", wildcards.dataset)
    return [str(root / name) for name in covered(root / "manifest.json")]


def contents(*files):
    """Digests of files of the repository. As an input alone, one whose time stamp is older than the result goes unseen."""
    return [sha256(Path(file)) for file in files]


def launcher(gpus):
    """Words of the command that runs a training: `torchrun`, one process per GPU, where there are several."""
    return ["torchrun", "--standalone", "--nproc-per-node", str(gpus)] if gpus > 1 else ["python"]


def weights(wildcards):
    """The file that a training's backbone starts from, or none."""
    name = recipe(wildcards).weights
    return [f"data/weights/{name}.safetensors"] if name else []


def model_digest(stage):
    """A parameter function: the digest of a stage's code together with that of the recipe's model."""
    return lambda wildcards: code_digest(stage, f"seg.models.{recipe(wildcards).model.name}")


def files_of(study, pattern):
    """The files of a study that a pattern stands for: the study's own, or one of every training."""
    variants = PARAMS.variants(study.study)
    return expand(pattern, preset=study.preset, study=study.study, variant=variants, seed=PARAMS.seeds)


def runs(name):
    """An input function: a file of every training of a study."""
    return lambda wildcards: files_of(wildcards, RUN + name)


def missing_results(*made_by):
    """The files of these rules of a study that are not there, under the chosen preset: what was lost is made again.

    Asked for one by one, for Snakemake does not miss a file between others that are there; only these, for speed.
    """
    patterns = [strip_wildcard_constraints(str(file)) for rule in made_by for file in rule.output]
    studies = [Wildcards(fromdict={"preset": PARAMS.preset, "study": study}) for study in STUDIES]
    files = (file for study in studies for pattern in patterns for file in files_of(study, pattern))
    return [file for file in files if not Path(file).exists()]


def origin(dataset):
    """How a data set comes to its files: `rendered`, `downloaded` or the user's own `folder`."""
    row = PARAMS.datasets[dataset]
    return "rendered" if row.scenes else "folder" if row.layout == "folder" else "downloaded"


def datasets(kind):
    """A wildcard pattern: the folders in data/raw that come to their files in one way."""
    names = [name for name in PARAMS.datasets if PARAMS.files(name) == name and origin(name) == kind]
    return "|".join(names) or "(?!)"


def backbones(pretrained_here):
    """A wildcard pattern: the weights that a pretext task gives, or those that are downloaded."""
    names = [name for name, row in PARAMS.weights.items() if bool(row.pretext) == pretrained_here]
    return "|".join(names) or "(?!)"


def counts(preset, name):
    """A file that counts the classes of the training pack of every study's first variant, by data set."""
    packs = [pack_of(preset, study, PARAMS.variants(study)[0], "train") for study in STUDIES]
    return {pack.dataset: f"{PACK}{name}".format(preset=preset, **pack._asdict()) for pack in packs}


def gpu_job(wildcards):
    """What a training, or another job on a GPU, asks a cluster for."""
    variant = f"{wildcards.get('study')}/{wildcards.get('variant')}"
    return PARAMS.cluster.training_of.get(variant, PARAMS.cluster.training)


def data_job(wildcards):
    """What a job that makes data asks a cluster for."""
    return PARAMS.cluster.data


def asks(job):
    """Resources of a rule, by the names that Slurm's executor knows; a retry asks for a multiple."""
    return {
        "slurm_partition": lambda wildcards: job(wildcards).partition,
        "mem_mb": lambda wildcards, attempt: attempt * job(wildcards).memory,
        "runtime": lambda wildcards, attempt: attempt * job(wildcards).minutes,
    }


def start_notes(preset, study, variant):
    """What the table says of a backbone that does not start at random."""
    start = recipe_of(preset, study, variant, PARAMS.seeds[0])
    if not start.weights:
        return []
    return [f"The backbone starts from {start.weights}{' and stays as it is' if start.frozen else ''}."]


def our_notes(study, variant):
    """What the table says of values that no source gives."""
    return [f"{key}: ours, the source gives none" for key in PARAMS.not_in_source(study, variant)]


def study_notes(preset, study):
    """JSON of what the table has to say of the study and of each variant, and which values are not the source's."""
    rows = PARAMS.studies[study].variants
    notes = {study: PARAMS.studies[study].notes} | {
        variant: [*rows[variant].notes, *start_notes(preset, study, variant), *our_notes(study, variant)]
        for variant in PARAMS.variants(study)
    }
    return canonical_json(notes)
