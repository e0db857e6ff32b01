# Features: one HDF5 for each shard and model.


rule fetch_checkpoint:
    input:
        checkpoint_file,
    output:
        "resources/checkpoints/{model}.json",
    log:
        "logs/fetch_checkpoint/{model}.log",
    # Fused models are run together as far as their weights are there.
    priority: 1
    # It tries several times itself.
    retries: 0
    # A compute node may have no way to the internet; the submitting host has.
    localrule: True
    conda:
        "../envs/torch.yaml"
    params:
        options=checkpoint_options,
    message:
        "Fetching the weights of {wildcards.model}"
    shell:
        "python -m scripts.fetch_checkpoint --options {params.options:q}"
        " --directory resources/checkpoints --ticket {output:q} > {log:q} 2>&1"


rule extract_features:
    input:
        videos=videos_read,
        ticket="resources/checkpoints/{model}.json",
        flow_ticket=flow_ticket_read,
    output:
        "results/{dataset}/features/{model}/{shard}.tsv",
    log:
        "logs/extract_features/{dataset}.{model}.{shard}.log",
    benchmark:
        "benchmarks/extract_features/{dataset}.{model}.{shard}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: workers
    resources:
        gpu=1,
        mem_mb=memory(megabytes=8000, a_thread=500),
        runtime=feature_minutes,
    params:
        options=feature_options,
        retry=retry_of,
        speed=speed_of,
        together=together,
    message:
        "Extracting {wildcards.model} from shard {wildcards.shard} of"
        " {wildcards.dataset}"
    shell:
        "python -m scripts.extract_features --table {input.videos:q}"
        " --ticket {input.ticket:q} --manifest {output:q} --threads {threads}"
        " {params.speed:q} {params.together:q} --retry {params.retry:q}"
        " --options {params.options:q} > {log:q} 2>&1"
