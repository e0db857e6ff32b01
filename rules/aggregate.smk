# One HDF5 for each dataset and model.


rule aggregate_features:
    input:
        lambda wildcards: manifests_of(wildcards.dataset, "features", wildcards.model),
    output:
        features="results/{dataset}/features/{model}.h5",
        table="results/{dataset}/features/{model}.tsv",
    log:
        "logs/aggregate_features/{dataset}.{model}.log",
    benchmark:
        "benchmarks/aggregate_features/{dataset}.{model}.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=scaled(megabytes=2000),
        runtime=scaled(minutes=120),
    params:
        options=aggregate_options,
    message:
        "Aggregating {wildcards.model} of {wildcards.dataset}"
    shell:
        "python -m scripts.aggregate_features"
        " --folder results/{wildcards.dataset}/features/{wildcards.model}"
        " --shards results/{wildcards.dataset}/index/shards.tsv"
        " --features {output.features:q} --table {output.table:q}"
        " --options {params.options:q} > {log:q} 2>&1"


rule map_annotations:
    input:
        events="results/{dataset}/index/events.tsv",
        features="results/{dataset}/features/{model}.h5",
        table="results/{dataset}/features/{model}.tsv",
    output:
        "results/{dataset}/features/{model}.events.json",
    log:
        "logs/map_annotations/{dataset}.{model}.log",
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=scaled(megabytes=2000),
        runtime=scaled(minutes=30),
    params:
        options=lambda wildcards: options("map_annotations"),
    message:
        "Mapping events of {wildcards.dataset} to features of {wildcards.model}"
    shell:
        "python -m scripts.map_annotations --events {input.events:q}"
        " --features {input.features:q} --table {input.table:q} --mapped {output:q}"
        " > {log:q} 2>&1"
