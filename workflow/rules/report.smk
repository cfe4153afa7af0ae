"""Tables and figures of a study, and the page of all studies."""


rule tabulate_study:
    input:
        metrics=runs("metrics.json"),
        confusion=runs("confusion.npy"),
        evaluation=runs("evaluation.json"),
        training=runs("training.json"),
        history=runs("history.csv"),
        published="workflow/resources/published.csv",
    output:
        csv=report(f"{TABLE}table.csv", caption="../report/table.rst", category="{study}", labels={"figure": "table"}),
        markdown=f"{TABLE}table.md",
        pairs=f"{TABLE}pairs.csv",
        curves=report(
            f"{TABLE}curves.png", caption="../report/curves.rst", category="{study}", labels={"figure": "losses"}
        ),
    log:
        "logs/{preset}/{study}.table.log",
    benchmark:
        "logs/{preset}/{study}.table.tsv"
    conda:
        "../envs/seg.yaml"
    params:
        title=lambda wildcards: PARAMS.studies[wildcards.study].title,
        eval_split=lambda wildcards: PARAMS.datasets[PARAMS.dataset(wildcards.preset, wildcards.study)].eval_split,
        classes=lambda wildcards: ",".join(PARAMS.studies[wildcards.study].classes),
        variants=lambda wildcards: [
            f"{variant}=results/{wildcards.preset}/{wildcards.study}/{variant}"
            for variant in PARAMS.variants(wildcards.study)
        ],
        seeds=PARAMS.seeds,
        notes=lambda wildcards: study_notes(wildcards.preset, wildcards.study),
        figures=contents("workflow/resources/published.csv"),
        code=code_digest("seg.report.table"),
    message:
        "Tabulate {wildcards.study}"
    shell:
        "python -m seg.report.table --study {wildcards.study:q} --title {params.title:q} --eval-split {params.eval_split:q}"
        " --classes {params.classes:q} --published {input.published:q} --variants {params.variants:q}"
        " --seeds {params.seeds:q} --notes {params.notes:q} --csv {output.csv:q} --markdown {output.markdown:q}"
        " --pairs {output.pairs:q} --curves {output.curves:q} 2>&1 | tee {log:q}"


rule report_preset:
    input:
        tables=expand(f"{TABLE}{{table}}.csv", table=["table", "pairs"], study=STUDIES, allow_missing=True),
        curves=expand(f"{TABLE}curves.png", study=STUDIES, allow_missing=True),
        statistics=lambda wildcards: list(counts(wildcards.preset, "statistics.json").values()),
        classes=lambda wildcards: list(counts(wildcards.preset, "classes.png").values()),
        look=["seg/report/index.html.j2", "seg/report/page.css"],
    output:
        comparison="results/{preset}/comparison.csv",
        metrics="results/{preset}/metrics.json",
        page="results/{preset}/index.html",
    log:
        "logs/{preset}/report.log",
    benchmark:
        "logs/{preset}/report.tsv"
    conda:
        "../envs/seg.yaml"
    params:
        title=lambda wildcards: PARAMS.presets[wildcards.preset].title,
        look=contents("seg/report/index.html.j2", "seg/report/page.css"),
        studies=lambda wildcards: [f"--study={study}=results/{wildcards.preset}/{study}" for study in STUDIES],
        statistics=lambda wildcards: [
            f"--statistics={dataset}={path}" for dataset, path in counts(wildcards.preset, "statistics.json").items()
        ],
        code=code_digest("seg.report.page"),
    message:
        "Report preset {wildcards.preset}"
    shell:
        "python -m seg.report.page --preset {wildcards.preset:q} --title {params.title:q} {params.studies:q}"
        " {params.statistics:q} --comparison {output.comparison:q} --metrics {output.metrics:q} --page {output.page:q}"
        " 2>&1 | tee {log:q}"
