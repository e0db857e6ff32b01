# Clean clips: cut, constant frame rate, scaled, decoded once to verify; a file each, or
# one tar for the shard.


rule transcode_clips:
    input:
        sources_of,
    output:
        "results/{dataset}/clips/{encoding}/{shard}.tsv",
    log:
        "logs/transcode_clips/{dataset}.{encoding}.{shard}.log",
    benchmark:
        "benchmarks/transcode_clips/{dataset}.{encoding}.{shard}.tsv"
    conda:
        "../envs/media.yaml"
    threads: workers
    resources:
        mem_mb=memory(megabytes=1000, a_thread=400),
        runtime=transcode_minutes,
    params:
        options=encoding_options,
        layout=lambda wildcards: CLIP_LAYOUTS[wildcards.encoding],
        retry=retry_of,
        clips=downloads_spent,
    message:
        "Transcoding shard {wildcards.shard} of {wildcards.dataset}"
        " ({wildcards.encoding})"
    shell:
        "python -m scripts.transcode_clips --table {input:q} --manifest {output:q}"
        " --threads {threads} --retry {params.retry:q} --options {params.options:q}"
        " --layout {params.layout} {params.clips:q}"
        " > {log:q} 2>&1"
