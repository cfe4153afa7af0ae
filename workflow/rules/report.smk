"""Tables and figures of the studies, and the page of a preset."""


rule plot_classes:
    input:
        statistics=f"{plan.PACK_FOLDER}statistics.json",
    output:
        figure=report(
            f"{plan.PACK_FOLDER}classes.svg",
            caption="../report/classes.rst",
            category="Data",
            labels={"dataset": "{dataset}{fold}", "figure": "classes"},
        ),
        png=f"{plan.PACK_FOLDER}classes.png",
    log:
        "logs/{preset}/{dataset}-{height}x{width}{fold}.classes.log",
    benchmark:
        "logs/{preset}/{dataset}-{height}x{width}{fold}.classes.tsv"
    conda:
        "../envs/seg.yaml"
    threads: 1
    resources:
        **cluster_resources(data_job),
    params:
        code=code_digest("seg.report.class_figures"),
    message:
        "Plot the classes of {wildcards.dataset}{wildcards.fold} at {wildcards.height}x{wildcards.width}"
    shell:
        "python -m seg.report.class_figures --statistics {input.statistics:q} --svg {output.figure:q} --png {output.png:q} 2>&1 | tee {log:q}"


rule tabulate_study:
    input:
        metrics=required(runs("metrics.json"), output=f"{plan.STUDY_FOLDER}table.csv"),
        confusion=runs("confusion.npy"),
        evaluation=runs("evaluation.json"),
        training=runs("run.json"),
        history=runs("history.csv"),
        published=repository_path("workflow/resources/published.csv"),
    output:
        **figures(plan.STUDY_FOLDER, STUDY_FIGURES, "{study}"),
        csv=report(
            f"{plan.STUDY_FOLDER}table.csv",
            caption="../report/table.rst",
            category="{study}",
            labels={"figure": "table"},
        ),
        markdown=f"{plan.STUDY_FOLDER}table.md",
        latex=f"{plan.STUDY_FOLDER}table.tex",
        pairs=f"{plan.STUDY_FOLDER}pairs.csv",
    log:
        "logs/{preset}/{study}.table.log",
    benchmark:
        "logs/{preset}/{study}.table.tsv"
    conda:
        "../envs/seg.yaml"
    threads: 1
    resources:
        **cluster_resources(data_job),
    params:
        title=lambda w: PARAMS.studies[w.study].title,
        eval_split=lambda w: PLAN.eval_split(w.preset, w.study),
        scoring=lambda w: PARAMS.studies[w.study].scoring,
        classes=lambda w: PLAN.own_classes(w.study),
        variants=lambda w: PLAN.variant_folders(w.preset, w.study),
        seeds=lambda w: PARAMS.run_seeds(w.preset),
        folds=lambda w: PLAN.fold_options(w.preset, w.study),
        notes=lambda w: PLAN.notes(w.preset, w.study),
        source=lambda w: PLAN.source(w.preset, w.study),
        block=PARAMS.block,
        equivalence=PARAMS.equivalence,
        figures=f"{plan.STUDY_FOLDER}figures",
        published=content("workflow/resources/published.csv"),
        code=code_digest("seg.report.table"),
    message:
        "Tabulate {wildcards.study}"
    shell:
        "python -m seg.report.table --study {wildcards.study:q} --title={params.title:q} --eval-split {params.eval_split:q}"
        " --scoring {params.scoring:q} --classes {params.classes:q} --published {input.published:q} --variants {params.variants:q}"
        " --seeds {params.seeds:q} {params.folds:q} --notes {params.notes:q} --source {params.source:q}"
        " --block {params.block:q} --equivalence {params.equivalence:q} --csv {output.csv:q} --markdown {output.markdown:q}"
        " --latex {output.latex:q} --pairs {output.pairs:q} --figures {params.figures:q} 2>&1 | tee {log:q}"


rule report_preset:
    input:
        tables=required(
            lambda w: expand(f"{plan.STUDY_FOLDER}{{table}}.csv", table=["table", "pairs"], study=PLAN.studies, **w),
            output=f"{plan.PRESET_FOLDER}index.html",
        ),
        figures=expand(
            f"{plan.STUDY_FOLDER}figures/{{figure}}.svg", study=PLAN.studies, figure=STUDY_FIGURES, allow_missing=True
        ),
        statistics=lambda w: PLAN.statistics(w.preset).values(),
        classes=lambda w: PLAN.statistics(w.preset, "classes.svg").values(),
        packs=lambda w: sorted(
            {*PLAN.scored_packs(w.preset, "val").values(), *PLAN.scored_packs(w.preset, "eval").values()}
        ),
        predictions=lambda w: [
            file
            for study in PLAN.studies
            for file in PLAN.study_files(w.preset, study, f"{plan.RUN_FOLDER}predictions.zip")
        ],
        pictures=lambda w: sorted({*PLAN.picture_packs(w.preset).values(), *PLAN.training_packs(w.preset).values()}),
        pixels=picture_pixels,
    output:
        **figures(plan.PRESET_FOLDER, PRESET_FIGURES, "Overview"),
        comparison=f"{plan.PRESET_FOLDER}comparison.csv",
        latex=f"{plan.PRESET_FOLDER}comparison.tex",
        metrics=f"{plan.PRESET_FOLDER}metrics.json",
        history=f"{plan.PRESET_FOLDER}history.csv",
        classes=f"{plan.PRESET_FOLDER}classes.csv",
        confusion=f"{plan.PRESET_FOLDER}confusion.csv",
        page=f"{plan.PRESET_FOLDER}index.html",
    log:
        "logs/{preset}/report.log",
    benchmark:
        "logs/{preset}/report.tsv"
    conda:
        "../envs/seg.yaml"
    threads: 1
    resources:
        **cluster_resources(data_job),
    params:
        title=lambda w: PARAMS.presets[w.preset].title,
        templates=[content(file) for file in files_in("seg/report/templates")],
        studies=lambda w: PLAN.study_options(w.preset),
        statistics=lambda w: PLAN.statistics_options(w.preset),
        figures=f"{plan.PRESET_FOLDER}figures",
        pictures=lambda w: PLAN.picture_options(w.preset),
        code=code_digest("seg.report.page"),
    message:
        "Report preset {wildcards.preset}"
    shell:
        "python -m seg.report.page --preset {wildcards.preset:q} --title={params.title:q} {params.studies:q}"
        " {params.statistics:q} {params.pictures:q} --comparison {output.comparison:q} --latex {output.latex:q}"
        " --metrics {output.metrics:q} --history {output.history:q}"
        " --classes {output.classes:q} --confusion {output.confusion:q} --page {output.page:q} --figures {params.figures:q} 2>&1 | tee {log:q}"
