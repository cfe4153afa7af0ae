# Reruns published comparisons of segmentation models and tabulates them beside the published figures.
#
# data/raw/<dataset>/manifest.json                              download or synthesise   workflow/rules/data.smk
# data/manifests/<dataset>.json                                 a copy, which travels
# data/packs/<preset>/<dataset>-<height>x<width>/<split>.*      pack, count classes
# data/weights/<name>.safetensors                               download or pretrain     workflow/rules/train.smk
# results/<preset>/<study>/<variant>/seed<seed>/*               train, evaluate
# results/<preset>/<study>/{table.csv,pairs.csv,curves.png,...} tabulate a study         workflow/rules/report.smk
# results/<preset>/{comparison.csv,index.html}                  report of all studies
from snakemake.utils import min_version

min_version("9.20")


configfile: "params.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/records.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/report.smk"


onstart:
    refuse_missing_data()


rule all:
    default_target: True
    input:
        expand("results/{preset}/{name}", preset=PARAMS.preset, name=["index.html", "comparison.csv", "metrics.json"]),
        missing_results(rules.train_variant, rules.evaluate_variant, rules.tabulate_study),


rule data:
    input:
        [pack_json(split)(variant) for variant in all_variants() for split in ("train", "val", "eval")],
        [counts(PARAMS.preset, name).values() for name in ("statistics.json", "classes.png")],
        manifests(),
        [weights(variant) for variant in all_variants()],


localrules:  # on a cluster these run where Snakemake does: seconds long, or in want of the network
    all,
    data,
    download_dataset,
    fetch_weights,
    tabulate_study,
    report_preset,
    keep_manifest,
