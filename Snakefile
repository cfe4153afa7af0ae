# Reruns published comparisons of segmentation models and tabulates them beside the published figures.
#
# data/raw/<dataset>/manifest.json                               download, render or list         workflow/rules/data.smk
# data/manifests/<dataset>.json                                  kept copy, versioned by DVC
# data/packs/<preset>/<dataset>-<height>x<width>/<split>.*       pack, labels at own size; statistics.json
#   of a dataset with folds: .../fold<k>/<split>.*
# data/weights/<name>.safetensors                                download or pretrain             workflow/rules/train.smk
# results/<preset>/<study>/<variant>/seed<seed>/*                train, evaluate
#   of a dataset with folds: .../seed<seed>/fold<k>/*
# data/packs/<preset>/<dataset>-<height>x<width>/classes.*       plot the class statistics        workflow/rules/report.smk
# results/<preset>/<study>/{table.csv,table.md,pairs.csv,...}    tabulate a study
# results/<preset>/<study>/figures/*                             tabulate a study: SVG and PNG
# results/<preset>/{comparison,history}.csv, index.html          report all studies
# results/<preset>/figures/*                                     report all studies: SVG and PNG
#
# With --directory DIR, data/, results/, logs/ and .snakemake/ are in DIR; code and params.yaml are read from the repository.
from snakemake.utils import min_version

min_version("9.20")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/report.smk"


# An image is not in every split of every fold, so a change of one leaves packs of other folds as they are.
state.compare_by_content_after(
    [rules.pack_split, rules.keep_native_labels], PLAN.packs(), always="fold" in PLAN.fold_pattern()
)
state.compare_by_content_after([rules.fetch_weights, rules.pretrain_backbone], PLAN.all_weights())


onstart:
    refuse_impossible_jobs()
    state.warn_of_processors(workflow, PARAMS)
    state.forward_signals(workflow)


rule all:
    default_target: True
    input:
        expand(rules.report_preset.output, preset=PARAMS.preset),
        missing_results(rules.train_variant, rules.evaluate_variant, rules.tabulate_study),


rule data:
    input:
        PLAN.packs(),
        PLAN.statistics(PARAMS.preset).values(),
        PLAN.statistics(PARAMS.preset, "classes.svg").values(),
        PLAN.kept_manifests(),
        PLAN.all_weights(),


localrules:  # run on the submitting host of a cluster: they take seconds or need the network
    all,
    data,
    download_dataset,
    fetch_weights,
    keep_manifest,
    plot_classes,
    tabulate_study,
    report_preset,


refuse_unknown_targets(rules.train_variant, rules.evaluate_variant, rules.tabulate_study, rules.report_preset)
