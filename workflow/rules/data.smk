"""From nothing to packs: download or synthesise, decode and resize, count."""


rule download_dataset:
    output:
        "data/raw/{dataset}/manifest.json",
    log:
        "logs/data/{dataset}.download.log",
    benchmark:
        "logs/data/{dataset}.download.tsv"
    wildcard_constraints:
        dataset=datasets("downloaded"),
    retries: 0  # whatever the profile says: it waits and tries again by itself
    conda:
        "../envs/seg.yaml"
    params:
        code=code_digest("seg.datasets.download"),
    message:
        "Download {wildcards.dataset}, or unpack it from data/archives"
    shell:
        "python -m seg.datasets.download --dataset {wildcards.dataset:q} --archives data/archives --out {output:q}"
        " 2>&1 | tee {log:q}"


rule synthesize_dataset:
    output:
        "data/raw/{dataset}/manifest.json",
    log:
        "logs/data/{dataset}.synthesize.log",
    benchmark:
        "logs/data/{dataset}.synthesize.tsv"
    wildcard_constraints:
        dataset=datasets("rendered"),
    conda:
        "../envs/seg.yaml"
    threads: 2
    resources:
        **asks(data_job),
    params:
        layout=lambda wildcards: PARAMS.datasets[wildcards.dataset].layout,
        size=lambda wildcards: PARAMS.datasets[wildcards.dataset].size,
        splits=lambda wildcards: PARAMS.datasets[wildcards.dataset].scenes.arguments(),
        seed=lambda wildcards: PARAMS.datasets[wildcards.dataset].scenes.seed,
        code=code_digest("seg.synthetic.synthesize"),
    message:
        "Render the scenes of {wildcards.dataset}"
    shell:
        "python -m seg.synthetic.synthesize --layout {params.layout:q} --height {params.size[0]:q} --width {params.size[1]:q}"
        " {params.splits:q} --seed {params.seed:q} --jobs {threads:q} --out {output:q} 2>&1 | tee {log:q}"


rule register_folder:
    input:
        own_files,
    output:
        "data/raw/{dataset}/manifest.json",
    log:
        "logs/data/{dataset}.register.log",
    benchmark:
        "logs/data/{dataset}.register.tsv"
    wildcard_constraints:
        dataset=datasets("folder"),
    conda:
        "../envs/seg.yaml"
    resources:
        **asks(data_job),
    params:
        code=code_digest("seg.datasets.manifest"),
    message:
        "Take the images and labels in data/raw/{wildcards.dataset} as they lie there"
    shell:
        "python -m seg.datasets.manifest --name {wildcards.dataset:q} --out {output:q} 2>&1 | tee {log:q}"


rule keep_manifest:
    input:
        "data/raw/{dataset}/manifest.json",
    output:
        "data/manifests/{dataset}.json",
    log:
        "logs/data/{dataset}.manifest.log",
    benchmark:
        "logs/data/{dataset}.manifest.tsv"
    conda:
        "../envs/seg.yaml"
    message:
        "Keep the manifest of {wildcards.dataset}"
    shell:
        "cp {input:q} {output:q} 2> {log:q}"


rule pack_split:
    input:
        raw,
    output:
        multiext(f"{PACK}{{split}}", ".json", ".images.npy", ".labels.npy"),
    log:
        "logs/{preset}/{dataset}-{height}x{width}.{split}.pack.log",
    benchmark:
        "logs/{preset}/{dataset}-{height}x{width}.{split}.pack.tsv"
    conda:
        "../envs/seg.yaml"
    threads: 2
    resources:
        **asks(data_job),
    params:
        layout=lambda wildcards: PARAMS.datasets[wildcards.dataset].layout,
        out=f"{PACK}{{split}}",
        code=lambda wildcards: code_digest("seg.data.pack", f"seg.datasets.{PARAMS.datasets[wildcards.dataset].layout}"),
    message:
        "Pack the {wildcards.split} split of {wildcards.dataset} at {wildcards.height}x{wildcards.width}"
    shell:
        "python -m seg.data.pack --manifest {input:q} --layout {params.layout:q} --split {wildcards.split:q}"
        " --height {wildcards.height:q} --width {wildcards.width:q} --out {params.out:q} --workers {threads:q}"
        " 2>&1 | tee {log:q}"


rule count_classes:
    input:
        pack=f"{PACK}train.json",
        images=ancient(f"{PACK}train.images.npy"),
    output:
        statistics=f"{PACK}statistics.json",
        figure=report(
            f"{PACK}classes.png",
            caption="../report/classes.rst",
            category="Data",
            labels={"data set": "{dataset}", "figure": "classes"},
        ),
    log:
        "logs/{preset}/{dataset}-{height}x{width}.statistics.log",
    benchmark:
        "logs/{preset}/{dataset}-{height}x{width}.statistics.tsv"
    conda:
        "../envs/seg.yaml"
    resources:
        **asks(data_job),
    params:
        code=code_digest("seg.data.statistics", "seg.report.figures"),
    message:
        "Count the classes of {wildcards.dataset} at {wildcards.height}x{wildcards.width}"
    shell:
        "(python -m seg.data.statistics --pack {input.pack:q} --out {output.statistics:q} &&"
        " python -m seg.report.figures --statistics {output.statistics:q} --out {output.figure:q}) 2>&1 | tee {log:q}"


compare_anew_after(rules.pack_split, [json_of(PARAMS.preset, pack) for pack in all_packs()])
