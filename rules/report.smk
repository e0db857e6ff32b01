# What was built, what is missing and why.


rule summarise_dataset:
    input:
        videos="results/{dataset}/index/videos.tsv",
        counts="results/{dataset}/index/counts.tsv",
        downloads=lambda wildcards: videos_of(wildcards.dataset),
        clips=lambda wildcards: clips_of(wildcards.dataset),
        frames=lambda wildcards: frames_of(wildcards.dataset),
        flow=lambda wildcards: flow_of(wildcards.dataset),
        lists=lambda wildcards: lists_of(wildcards.dataset),
        features=lambda wildcards: features_of(wildcards.dataset),
        evaluations=lambda wildcards: evaluations_of(wildcards.dataset),
        probes=lambda wildcards: probes_of(wildcards.dataset),
        trainings=lambda wildcards: trainings_of(wildcards.dataset),
    output:
        page=report(
            "results/{dataset}/report.html",
            category="Datasets",
            labels={"dataset": "{dataset}"},
        ),
        failures="results/{dataset}/failures.tsv",
    log:
        "logs/summarise_dataset/{dataset}.log",
    benchmark:
        "benchmarks/summarise_dataset/{dataset}.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=scaled(megabytes=4000),
        runtime=scaled(minutes=30),
    params:
        options=lambda wildcards: options(
            "summarise_dataset", about=DATASETS[wildcards.dataset]["about"]
        ),
        videos=videos_folder,
        clips=folders("clips", NEEDED),
        frames=folders("frames", DUMPED),
        flow=folders("flow", DUMPED_FLOW),
    message:
        "Summarising {wildcards.dataset}"
    shell:
        "python -m scripts.summarise_dataset --dataset {wildcards.dataset}"
        " --index results/{wildcards.dataset}/index --options {params.options:q}"
        " --videos {params.videos:q} --clips {params.clips:q}"
        " --frames {params.frames:q} --flow {params.flow:q} --lists {input.lists:q}"
        " --features {input.features:q} --evaluations {input.evaluations:q}"
        " --probes {input.probes:q} --trainings {input.trainings:q}"
        " --benchmarks benchmarks"
        " --page {output.page:q} --failures {output.failures:q} > {log:q} 2>&1"


rule check_failures:
    input:
        videos="results/{dataset}/index/videos.tsv",
        failures="results/{dataset}/failures.tsv",
        page="results/{dataset}/report.html",
    output:
        "results/{dataset}/checked.txt",
    log:
        "logs/check_failures/{dataset}.log",
    retries: 0
    # It takes a second; a queue takes longer.
    localrule: True
    conda:
        "../envs/tables.yaml"
    params:
        options=lambda wildcards: options(
            "check_failures", max_failed=DATASETS[wildcards.dataset]["max_failed"]
        ),
    message:
        "Checking how many videos of {wildcards.dataset} failed"
    shell:
        "python -m scripts.check_failures --videos {input.videos:q}"
        " --failures {input.failures:q} --page {input.page:q} --checked {output:q}"
        " --options {params.options:q} > {log:q} 2>&1"
