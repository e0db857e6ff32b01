# One HDF5 for each dataset and model, and of several models side by side.


# index/shards.tsv is read for the names of the shards, which the inputs have too; as an
# input it would make all stale with every video.
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


rule join_streams:
    input:
        features=streams_joined(".h5"),
        tables=streams_joined(".tsv"),
    output:
        features="results/{dataset}/features/{streams}.h5",
        table="results/{dataset}/features/{streams}.tsv",
    log:
        "logs/join_streams/{dataset}.{streams}.log",
    benchmark:
        "benchmarks/join_streams/{dataset}.{streams}.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=scaled(megabytes=2000),
        runtime=scaled(minutes=120),
    params:
        options=lambda wildcards: options(
            "join_streams", models=STREAMS[wildcards.streams]
        ),
    message:
        "Joining the streams {wildcards.streams} of {wildcards.dataset}"
    shell:
        "python -m scripts.join_streams --streams {input.features:q}"
        " --features {output.features:q} --table {output.table:q} > {log:q} 2>&1"


rule map_annotations:
    input:
        events="results/{dataset}/index/events.tsv",
        features="results/{dataset}/features/{features}.h5",
        table="results/{dataset}/features/{features}.tsv",
    output:
        "results/{dataset}/features/{features}.events.json",
    log:
        "logs/map_annotations/{dataset}.{features}.log",
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=scaled(megabytes=2000),
        runtime=scaled(minutes=30),
    params:
        options=lambda wildcards: options("map_annotations"),
    message:
        "Mapping events of {wildcards.dataset} to features of {wildcards.features}"
    shell:
        "python -m scripts.map_annotations --events {input.events:q}"
        " --features {input.features:q} --table {input.table:q} --mapped {output:q}"
        " > {log:q} 2>&1"
