# Jobs with the numbers of inputs and outputs of the real ones, and nothing else, for `benchmarks.graph`.
STUDIES, VARIANTS = range(5), range(200)
PACKS = expand("packs/{part}", part=range(4))
RUN = "runs/{study}/{variant}/"
TABLES = ["csv", "md", "tex", "pairs", "figure"]


rule report:
    input:
        expand("tables/{study}/{part}", study=STUDIES, part=TABLES),
    output:
        expand("report/{part}", part=range(8)),
    shell:
        "touch {output}"


rule tabulate:
    input:
        expand(
            f"{RUN}{{part}}",
            variant=VARIANTS,
            part=["metrics", "confusion", "evaluation", "run", "history"],
            allow_missing=True,
        ),
    output:
        expand("tables/{{study}}/{part}", part=TABLES),
    shell:
        "touch {output}"


rule evaluate:
    input:
        PACKS,
        f"{RUN}model",
    output:
        expand(f"{RUN}{{part}}", part=["metrics", "confusion", "samples", "evaluation"], allow_missing=True),
    params:
        code="0123456789abcdef",
    shell:
        "touch {output}"


rule train:
    input:
        PACKS,
    output:
        expand(f"{RUN}{{part}}", part=["model", "history", "run"], allow_missing=True),
    params:
        recipe=lambda w: f"variant {w.variant} of {w.study}",
        code="0123456789abcdef",
    shell:
        "touch {output}"


rule pack:
    output:
        PACKS,
    shell:
        "touch {output}"
