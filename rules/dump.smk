# Frames as pictures: results/<dataset>/frames/<encoding>/<shard>/<id>/00001.jpg, and
# flow: results/<dataset>/flow/<name>/<shard>/<id>/flow_x_00001.jpg, flow_y_00001.jpg.


rule dump_frames:
    input:
        "results/{dataset}/clips/{encoding}/{shard}.tsv",
    output:
        "results/{dataset}/frames/{encoding}/{shard}.tsv",
    log:
        "logs/dump_frames/{dataset}.{encoding}.{shard}.log",
    benchmark:
        "benchmarks/dump_frames/{dataset}.{encoding}.{shard}.tsv"
    conda:
        "../envs/media.yaml"
    threads: workers
    resources:
        mem_mb=memory(megabytes=500, a_thread=200),
        runtime=dump_minutes,
    params:
        options=dump_options,
        retry=retry_of,
    message:
        "Dumping frames of shard {wildcards.shard} of {wildcards.dataset}"
    shell:
        "python -m scripts.dump_frames --table {input:q} --manifest {output:q}"
        " --threads {threads} --retry {params.retry:q} --options {params.options:q}"
        " > {log:q} 2>&1"


rule fetch_flow_checkpoint:
    input:
        flow_checkpoint_file,
    output:
        "resources/checkpoints/flow/{flow}.json",
    log:
        "logs/fetch_flow_checkpoint/{flow}.log",
    # It tries several times itself.
    retries: 0
    # A compute node may have no way to the internet; the submitting host has.
    localrule: True
    conda:
        "../envs/torch.yaml"
    params:
        options=flow_checkpoint_options,
    message:
        "Fetching the weights of the flow {wildcards.flow}"
    shell:
        "python -m scripts.fetch_checkpoint --options {params.options:q}"
        " --directory resources/checkpoints --ticket {output:q} > {log:q} 2>&1"


rule compute_flow:
    input:
        clips=clips_read,
        ticket=flow_ticket,
    output:
        "results/{dataset}/flow/{flow}/{shard}.tsv",
    log:
        "logs/compute_flow/{dataset}.{flow}.{shard}.log",
    benchmark:
        "benchmarks/compute_flow/{dataset}.{flow}.{shard}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: workers
    resources:
        gpu=flow_gpus,
        mem_mb=memory(megabytes=2000, a_thread=500),
        runtime=flow_minutes,
    params:
        options=flow_options,
        retry=retry_of,
        batch_size=flow_batch,
        ticket=ticket_argument,
    message:
        "Computing the flow {wildcards.flow} of shard {wildcards.shard} of"
        " {wildcards.dataset}"
    shell:
        "python -m scripts.compute_flow --table {input.clips:q} {params.ticket:q}"
        " --manifest {output:q} --threads {threads}"
        " --batch-size {params.batch_size} --retry {params.retry:q}"
        " --options {params.options:q} > {log:q} 2>&1"
