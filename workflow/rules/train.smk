"""Backbones to start from; train and evaluate one variant with one seed."""


rule fetch_weights:
    output:
        "data/weights/{weights}.safetensors",
    log:
        "logs/weights/{weights}.fetch.log",
    benchmark:
        "logs/weights/{weights}.fetch.tsv"
    wildcard_constraints:
        weights=backbones(pretrained_here=False),
    retries: 0  # as of a data set
    conda:
        "../envs/seg.yaml"
    params:
        code=code_digest("seg.models.fetch_weights"),
    message:
        "Download {wildcards.weights}, or convert it from data/archives"
    shell:
        "python -m seg.models.fetch_weights --weights {wildcards.weights:q} --archives data/archives --out {output:q}"
        " 2>&1 | tee {log:q}"


rule pretrain_backbone:
    output:
        "data/weights/{weights}.safetensors",
    log:
        "logs/weights/{weights}.pretrain.log",
    benchmark:
        "logs/weights/{weights}.pretrain.tsv"
    wildcard_constraints:
        weights=backbones(pretrained_here=True),
    priority: 1  # trainings wait for it
    conda:
        "../envs/seg.yaml"
    threads: lambda wildcards: PARAMS.weights[wildcards.weights].pretext.threads
    resources:
        **asks(gpu_job),
        gpu=1,
        gpu_model=lambda wildcards: gpu_job(wildcards).gpu_model,
    params:
        task=lambda wildcards: PARAMS.weights[wildcards.weights].pretext.arguments(),
        code=code_digest("seg.training.pretrain"),
    message:
        "Pretrain {wildcards.weights} on synthetic shapes"
    shell:
        "python -m seg.training.pretrain {params.task:q} --out {output:q} 2>&1 | tee {log:q}"


for rule in (rules.fetch_weights, rules.pretrain_backbone):
    compare_anew_after(rule, [file for variant in all_variants() for file in weights(variant)])


rule train_variant:
    input:
        train=pack_json("train"),
        train_pixels=pack_pixels("train"),
        val=pack_json("val"),
        val_pixels=pack_pixels("val"),
        weights=weights,
    output:
        model=f"{RUN}model.safetensors",
        history=f"{RUN}history.csv",
        cost=f"{RUN}training.json",
    log:
        "logs/{preset}/{study}/{variant}.seed{seed}.train.log",
    benchmark:
        "logs/{preset}/{study}/{variant}.seed{seed}.train.tsv"
    conda:
        "../envs/seg.yaml"
    threads: lambda wildcards: recipe(wildcards).threads * recipe(wildcards).gpus
    resources:
        **asks(gpu_job),
        gpu=lambda wildcards: recipe(wildcards).gpus,
        gpu_model=lambda wildcards: gpu_job(wildcards).gpu_model,
    params:
        launch=lambda wildcards: launcher(recipe(wildcards).gpus),
        recipe=lambda wildcards: recipe(wildcards).json_line(),
        weights=lambda wildcards, input: ["--weights", *input.weights] if input.get("weights") else [],
        events=f"{RUN}tensorboard",
        code=model_digest("seg.training.train"),
    message:
        "Train {wildcards.study}/{wildcards.variant} with seed {wildcards.seed}"
    shell:
        "{params.launch:q} -m seg.training.train --recipe {params.recipe:q} --train-pack {input.train:q} --val-pack {input.val:q}"
        " {params.weights:q} --model {output.model:q} --history {output.history:q} --cost {output.cost:q} --events {params.events:q}"
        " --code {params.code:q} 2>&1 | tee {log:q}"


rule evaluate_variant:
    input:
        model=f"{RUN}model.safetensors",
        pack=pack_json("eval"),
        pixels=pack_pixels("eval"),
    output:
        metrics=f"{RUN}metrics.json",
        confusion=f"{RUN}confusion.npy",
        samples=report(
            f"{RUN}samples.png",
            caption="../report/samples.rst",
            category="{study}",
            labels={"variant": "{variant}", "seed": "{seed}", "figure": "samples"},
        ),
        cost=f"{RUN}evaluation.json",
    log:
        "logs/{preset}/{study}/{variant}.seed{seed}.evaluate.log",
    benchmark:
        "logs/{preset}/{study}/{variant}.seed{seed}.evaluate.tsv"
    conda:
        "../envs/seg.yaml"
    threads: lambda wildcards: recipe(wildcards).threads
    resources:
        **asks(gpu_job),
        gpu=1,
        gpu_model=lambda wildcards: gpu_job(wildcards).gpu_model,
    params:
        code=model_digest("seg.evaluation.evaluate"),
    message:
        "Evaluate {wildcards.study}/{wildcards.variant} with seed {wildcards.seed}"
    shell:
        "python -m seg.evaluation.evaluate --model {input.model:q} --pack {input.pack:q} --metrics {output.metrics:q}"
        " --confusion {output.confusion:q} --samples {output.samples:q} --cost {output.cost:q} 2>&1 | tee {log:q}"
