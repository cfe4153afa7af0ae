"""Parameters, wildcard constraints and input functions shared by the rules; paths and values are from `seg.plan`."""

import gc
import sys
from pathlib import Path

gc.set_threshold(200_000)  # the objects of a graph are kept: fewer collections save a tenth of the planning time

sys.path.insert(0, str(workflow.basedir))  # `seg` and `workflow.state` beside the Snakefile

from seg import digest, plan
from seg.config.params import load_params
from seg.datasets.catalogue import DATASETS, missing
from seg.report.figure_names import PRESET_FIGURES, STUDY_FIGURES
from seg.system.files import sha256
from workflow import checks, own_data, state

with checks.one_line_per_error():
    PARAMS = load_params(state.run_config(workflow, config))
    PLAN = plan.Plan(PARAMS)
    state.check_run(workflow, PLAN)
    VERIFY = PARAMS.verify and workflow.is_main_process
    if VERIFY:
        own_data.warn_of_changes(PLAN)
code_digest = checks.one_line_per_error()(digest.code_digest)
shell.prefix(state.shell_prefix(workflow, PARAMS.trainings_per_gpu))


wildcard_constraints:
    preset=plan.alternatives(PARAMS.presets),
    dataset=plan.alternatives(PARAMS.datasets),
    weights=plan.alternatives(PARAMS.weights),
    study=plan.alternatives(PLAN.studies),
    variant=plan.alternatives(variant for _, variant in PLAN.variants),
    seed=r"\d+",
    fold=PLAN.fold_pattern(),
    split="train|val|test",
    height=r"\d+",
    width=r"\d+",


recipe = lambda w: PLAN.recipe(w.preset, w.study, w.variant, int(w.seed))
weights = lambda w: PLAN.weights(w.preset, w.study, w.variant)
own_weights = checks.one_line_per_error()(
    lambda w: [
        own_data.weights_digest(file, Path(f"{plan.RUN_FOLDER}run.json".format(**w)))
        for file in PLAN.own_weights(w.preset, w.study, w.variant)
    ]
)
manifest = lambda w: PLAN.manifest(w.dataset)
dataset_row = lambda w: PARAMS.datasets[w.dataset]
pretext = lambda w: PARAMS.weights[w.weights].pretext
gpu_job = lambda w: PLAN.gpu_job(w.get("study"), w.get("variant"))
data_job = lambda w: PARAMS.cluster.data
own_content = checks.one_line_per_error()(
    lambda w: own_data.content_digest(w.dataset, tuple(PLAN.descriptions(w.dataset)), VERIFY)
)
repository_path = lambda file: state.repository_path(workflow, file)
# Digest of a repository file, used as a parameter: with the file as an input only, an edit that preserves its time stamp
# would rerun nothing.
content = checks.one_line_per_error()(lambda file: sha256(Path(workflow.basedir, file)))


def files_in(directory):
    """Paths of the files in a directory of the repository, without those of editors."""
    names = (path.name for path in Path(workflow.basedir, directory).iterdir())
    return sorted(f"{directory}/{name}" for name in names if not name.startswith(".") and not name.endswith("~"))


def pack_json(use):
    """Input function: `.json` of a variant's pack, which contains the digests of the pixels."""
    return lambda w: f"{PLAN.pack_stem(w.preset, w.study, w.variant, use, w.fold)}.json"


def pack_pixels(use):
    """Input function: pixels of the same pack. They must exist; changes of their content are detected by the `.json`."""
    return lambda w: [ancient(file) for file in PLAN.pack_pixels(w.preset, w.study, w.variant, use, w.fold)]


def picture_pixels(w):
    """Input function: pixels of the packs that pictures of the report show, and labels at their own size."""
    names = ("images.npy", "labels.npy")
    uses = {(*names, "native.json", "native.npy"): PLAN.picture_packs(w.preset), names: PLAN.training_packs(w.preset)}
    files = {pack.removesuffix("json") + name for use in uses for pack in uses[use].values() for name in use}
    return [ancient(file) for file in sorted(files)]


def runs(name):
    """Input function: this file of every training of a study."""
    return lambda w: PLAN.study_files(w.preset, w.study, plan.RUN_FOLDER + name)


def required(files, output):
    """Input function: these files. The job that makes `output` runs if one of them is missing, see `force_if_missing`."""

    def inputs(w):
        state.force_if_missing(workflow, files(w), output.format(**w))
        return files(w)

    return inputs


def figures(folder, names, category):
    """Outputs `<folder>figures/<name>.svg`, with a caption in the report of Snakemake, and the same as PNG."""
    drawn = {
        f"{name}_svg": report(
            f"{folder}figures/{name}.svg",
            caption=f"../report/{name}.rst",
            category=category,
            labels={"figure": name.replace("_", " ")},
        )
        for name in names
    }
    return drawn | {f"{name}_png": f"{folder}figures/{name}.png" for name in names}


def model_digest(stage):
    """Parameter function: digest of a stage's code and of the recipe's model."""
    return lambda w: code_digest(stage, f"seg.models.{recipe(w).model.name}")


def cluster_resources(job):
    """Resources by the names of Slurm's executor; each retry requests more."""
    return {
        "slurm_partition": lambda w: job(w).partition,
        "mem_mb": lambda w, attempt: attempt * job(w).memory,
        "runtime": lambda w, attempt: attempt * job(w).minutes,
    }


def missing_results(*rules):
    """Outputs that are missing. Snakemake does not notice that one of several outputs of a job is missing."""
    return [file for file in PLAN.files(state.output_templates(rules)) if not Path(file).exists()]


def refuse_impossible_jobs():
    """Stop before the first job if the run needs data that only the user can provide, or may not write its files."""
    lines = missing(state.datasets_to_make(workflow, "download_dataset"), Path("data/archives"), Path("data/raw"))
    lines += checks.output_errors(workflow)
    lines += own_data.missing_weights(state.own_weights_to_read(workflow, "train_variant", PLAN), PLAN)
    lines += own_data.missing_directories(state.datasets_to_make(workflow, "register_folder"))
    checks.refuse(lines)


def refuse_unknown_targets(*rules):
    """Stop if a target is neither a rule nor a file; the outputs of `rules` are suggested instead."""
    checks.refuse(checks.target_errors(workflow, PLAN.files(state.output_templates(rules))))
