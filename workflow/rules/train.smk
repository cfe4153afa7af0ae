"""Initial weights of backbones; training and evaluation of one variant with one seed."""


rule fetch_weights:
    output:
        weights=plan.WEIGHTS_FILE,
    log:
        "logs/weights/{weights}.fetch.log",
    benchmark:
        "logs/weights/{weights}.fetch.tsv"
    wildcard_constraints:
        weights=plan.alternatives(PLAN.weights_names(pretrained_here=False)),
    retries: 0  # in every profile, because the stage itself retries
    conda:
        "../envs/seg.yaml"
    threads: 1
    resources:
        **cluster_resources(data_job),
    params:
        code=code_digest("seg.models.fetch_weights"),
    message:
        "Download {wildcards.weights}, or convert it from data/archives"
    shell:
        "python -m seg.models.fetch_weights --weights {wildcards.weights:q} --archives data/archives --out {output.weights:q}"
        " 2>&1 | tee {log:q}"


rule pretrain_backbone:
    output:
        weights=plan.WEIGHTS_FILE,
    log:
        "logs/weights/{weights}.pretrain.log",
    benchmark:
        "logs/weights/{weights}.pretrain.tsv"
    wildcard_constraints:
        weights=plan.alternatives(PLAN.weights_names(pretrained_here=True)),
    priority: 1  # trainings wait for it
    conda:
        "../envs/seg.yaml"
    threads: lambda w: pretext(w).threads
    resources:
        **cluster_resources(gpu_job),
        gpu=1,
        gpu_model=lambda w: gpu_job(w).gpu_model,
    params:
        task=lambda w: pretext(w).arguments(),
        code=code_digest("seg.training.pretrain"),
    message:
        "Pretrain {wildcards.weights} on synthetic shapes"
    shell:
        "python -m seg.training.pretrain {params.task:q} --out {output.weights:q} 2>&1 | tee {log:q}"


rule train_variant:
    input:
        train=pack_json("train"),
        train_pixels=pack_pixels("train"),
        val=pack_json("val"),
        val_pixels=pack_pixels("val"),
        weights=lambda w: [file for file in weights(w) if file in PLAN.made_weights],
    output:
        model=f"{plan.RUN_FOLDER}model.safetensors",
        history=f"{plan.RUN_FOLDER}history.csv",
        run=f"{plan.RUN_FOLDER}run.json",
    log:
        "logs/{preset}/{study}/{variant}.seed{seed}{fold}.train.log",
    benchmark:
        "logs/{preset}/{study}/{variant}.seed{seed}{fold}.train.tsv"
    conda:
        "../envs/seg.yaml"
    threads: lambda w: recipe(w).threads * recipe(w).gpus
    resources:
        **cluster_resources(gpu_job),
        gpu=lambda w: recipe(w).gpus,
        gpu_model=lambda w: gpu_job(w).gpu_model,
    params:
        launch=lambda w: plan.launcher(recipe(w).gpus),
        recipe=lambda w: recipe(w).json_line(),
        weights=lambda w: [word for file in weights(w) for word in ("--weights", file)],
        own_weights=own_weights,
        events=f"{plan.RUN_FOLDER}tensorboard",
        code=model_digest("seg.training.train"),
    message:
        "Train {wildcards.study}/{wildcards.variant} with seed {wildcards.seed}{wildcards.fold}"
    shell:
        "{params.launch:q} -m seg.training.train --recipe {params.recipe:q} --train-pack {input.train:q} --val-pack {input.val:q}"
        " {params.weights:q} --model {output.model:q} --history {output.history:q} --run-info {output.run:q} --events {params.events:q}"
        " --code {params.code:q} 2>&1 | tee {log:q}"


rule evaluate_variant:
    input:
        model=required(
            lambda w: [f"{plan.RUN_FOLDER}model.safetensors".format(**w)], output=f"{plan.RUN_FOLDER}metrics.json"
        ),
        pack=pack_json("eval"),
        pixels=pack_pixels("eval"),
        native=lambda w: f"{PLAN.pack_stem(w.preset, w.study, w.variant, 'eval', w.fold)}.native.json",
        native_labels=lambda w: ancient(f"{PLAN.pack_stem(w.preset, w.study, w.variant, 'eval', w.fold)}.native.npy"),
    output:
        metrics=f"{plan.RUN_FOLDER}metrics.json",
        confusion=f"{plan.RUN_FOLDER}confusion.npy",
        predictions=f"{plan.RUN_FOLDER}predictions.zip",
        samples=report(
            f"{plan.RUN_FOLDER}samples.png",
            caption="../report/samples.rst",
            category="{study}",
            labels={"variant": "{variant}", "seed": "{seed}{fold}", "figure": "samples"},
        ),
        run=f"{plan.RUN_FOLDER}evaluation.json",
    log:
        "logs/{preset}/{study}/{variant}.seed{seed}{fold}.evaluate.log",
    benchmark:
        "logs/{preset}/{study}/{variant}.seed{seed}{fold}.evaluate.tsv"
    conda:
        "../envs/seg.yaml"
    threads: lambda w: recipe(w).threads
    resources:
        **cluster_resources(gpu_job),
        gpu=1,
        gpu_model=lambda w: gpu_job(w).gpu_model,
    params:
        inference=lambda w: PARAMS.inference(w.study, w.variant).json_line(),
        code=model_digest("seg.evaluation.evaluate"),
    message:
        "Evaluate {wildcards.study}/{wildcards.variant} with seed {wildcards.seed}{wildcards.fold}"
    # The saved states of the training are not needed any more: Snakemake has recorded the model.
    shell:
        'rm -f "$(dirname {input.model:q})"/resume-*; '
        "python -m seg.evaluation.evaluate --model {input.model:q} --pack {input.pack:q}"
        " --inference {params.inference:q} --metrics {output.metrics:q} --confusion {output.confusion:q}"
        " --predictions {output.predictions:q} --samples {output.samples:q} --run-info {output.run:q} 2>&1 | tee {log:q}"
