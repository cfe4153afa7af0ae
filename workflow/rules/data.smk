"""Data: download or render a dataset, pack its splits, count its classes."""


rule download_dataset:
    output:
        manifest=plan.RAW_MANIFEST,
    log:
        "logs/data/{dataset}.download.log",
    benchmark:
        "logs/data/{dataset}.download.tsv"
    wildcard_constraints:
        dataset=plan.alternatives(PLAN.datasets("downloaded")),
    retries: 0  # in every profile, because the stage itself retries
    conda:
        "../envs/seg.yaml"
    threads: 1
    resources:
        **cluster_resources(data_job),
    params:
        description=lambda w: repr(DATASETS.get(w.dataset)),
        code=code_digest("seg.datasets.download"),
    message:
        "Download {wildcards.dataset}, or extract it from data/archives"
    shell:
        "python -m seg.datasets.download --dataset {wildcards.dataset:q} --archives data/archives --out {output.manifest:q}"
        " 2>&1 | tee {log:q}"


rule synthesize_dataset:
    output:
        manifest=plan.RAW_MANIFEST,
    log:
        "logs/data/{dataset}.synthesize.log",
    benchmark:
        "logs/data/{dataset}.synthesize.tsv"
    wildcard_constraints:
        dataset=plan.alternatives(PLAN.datasets("rendered")),
    conda:
        "../envs/seg.yaml"
    threads: 2
    resources:
        **cluster_resources(data_job),
    params:
        layout=lambda w: dataset_row(w).layout,
        size=lambda w: dataset_row(w).size,
        splits=lambda w: dataset_row(w).scenes.arguments(),
        seed=lambda w: dataset_row(w).scenes.seed,
        code=code_digest("seg.synthetic.synthesize"),
    message:
        "Render the scenes of {wildcards.dataset}"
    shell:
        "python -m seg.synthetic.synthesize --layout {params.layout:q} --height {params.size[0]:q} --width {params.size[1]:q}"
        " {params.splits:q} --seed {params.seed:q} --jobs {threads:q} --out {output.manifest:q} 2>&1 | tee {log:q}"


rule register_folder:
    output:
        manifest=plan.KEPT_MANIFEST,
    log:
        "logs/data/{dataset}.register.log",
    benchmark:
        "logs/data/{dataset}.register.tsv"
    wildcard_constraints:
        dataset=plan.alternatives(PLAN.datasets("folder")),
    conda:
        "../envs/seg.yaml"
    threads: 1
    resources:
        **cluster_resources(data_job),
    params:
        dataset=lambda w: PLAN.descriptions(w.dataset),
        root=plan.RAW_FOLDER,
        content=own_content,
        memory=own_data.MEMORY,
    message:
        "List the images and labels in data/raw/{wildcards.dataset}"
    shell:
        "python -m seg.datasets.register --name {wildcards.dataset:q} --dataset {params.dataset:q} --root {params.root:q}"
        " --content {params.content:q} --memory {params.memory:q} --out {output.manifest:q}"
        " 2>&1 | tee {log:q}"


rule keep_manifest:
    input:
        manifest=plan.RAW_MANIFEST,
    output:
        manifest=plan.KEPT_MANIFEST,
    log:
        "logs/data/{dataset}.manifest.log",
    benchmark:
        "logs/data/{dataset}.manifest.tsv"
    wildcard_constraints:
        dataset=plan.alternatives([*PLAN.datasets("downloaded"), *PLAN.datasets("rendered")]),
    conda:
        "../envs/seg.yaml"
    threads: 1
    resources:
        **cluster_resources(data_job),
    message:
        "Keep the manifest of {wildcards.dataset}"
    shell:
        "cp {input.manifest:q} {output.manifest:q} 2> {log:q}"


rule pack_split:
    input:
        manifest=manifest,
    output:
        metadata=f"{plan.PACK_FOLDER}{{split}}.json",
        images=f"{plan.PACK_FOLDER}{{split}}.images.npy",
        labels=f"{plan.PACK_FOLDER}{{split}}.labels.npy",
    log:
        "logs/{preset}/{dataset}-{height}x{width}{fold}.{split}.pack.log",
    benchmark:
        "logs/{preset}/{dataset}-{height}x{width}{fold}.{split}.pack.tsv"
    conda:
        "../envs/seg.yaml"
    threads: 2
    resources:
        **cluster_resources(data_job),
    params:
        dataset=lambda w: PLAN.description(w.dataset, w.fold),
        root=lambda w: PLAN.raw_folder(w.dataset),
        out=f"{plan.PACK_FOLDER}{{split}}",
        code=code_digest("seg.data.pack"),
    message:
        "Pack the {wildcards.split} split of {wildcards.dataset}{wildcards.fold} at {wildcards.height}x{wildcards.width}"
    shell:
        "python -m seg.data.pack --manifest {input.manifest:q} --root {params.root:q} --dataset {params.dataset:q}"
        " --split {wildcards.split:q} --height {wildcards.height:q} --width {wildcards.width:q} --out {params.out:q} --workers {threads:q}"
        " 2>&1 | tee {log:q}"


rule keep_native_labels:
    input:
        manifest=manifest,
    output:
        metadata=f"{plan.PACK_FOLDER}{{split}}.native.json",
        labels=f"{plan.PACK_FOLDER}{{split}}.native.npy",
    log:
        "logs/{preset}/{dataset}-{height}x{width}{fold}.{split}.native.log",
    benchmark:
        "logs/{preset}/{dataset}-{height}x{width}{fold}.{split}.native.tsv"
    conda:
        "../envs/seg.yaml"
    threads: 1
    resources:
        **cluster_resources(data_job),
    params:
        dataset=lambda w: PLAN.description(w.dataset, w.fold),
        root=lambda w: PLAN.raw_folder(w.dataset),
        out=f"{plan.PACK_FOLDER}{{split}}",
        code=code_digest("seg.data.native_labels"),
    message:
        "Keep the labels of the {wildcards.split} split of {wildcards.dataset}{wildcards.fold} beside {wildcards.height}x{wildcards.width}"
    shell:
        "python -m seg.data.native_labels --manifest {input.manifest:q} --root {params.root:q} --dataset {params.dataset:q}"
        " --split {wildcards.split:q} --height {wildcards.height:q} --width {wildcards.width:q} --out {params.out:q} 2>&1 | tee {log:q}"


rule count_classes:
    input:
        pack=f"{plan.PACK_FOLDER}train.json",
        images=ancient(f"{plan.PACK_FOLDER}train.images.npy"),
    output:
        statistics=f"{plan.PACK_FOLDER}statistics.json",
    log:
        "logs/{preset}/{dataset}-{height}x{width}{fold}.statistics.log",
    benchmark:
        "logs/{preset}/{dataset}-{height}x{width}{fold}.statistics.tsv"
    conda:
        "../envs/seg.yaml"
    threads: 1
    resources:
        **cluster_resources(data_job),
    params:
        code=code_digest("seg.data.statistics"),
    message:
        "Count the classes of {wildcards.dataset}{wildcards.fold} at {wildcards.height}x{wildcards.width}"
    shell:
        "python -m seg.data.statistics --pack {input.pack:q} --out {output.statistics:q} 2>&1 | tee {log:q}"
