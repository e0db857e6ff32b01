# Originals: files are downloaded to results/<dataset>/downloads/, archives unpacked
# below results/<dataset>/originals/<archive>/, single videos lie below
# results/<dataset>/videos/<shard>/. The host that submits downloads: compute nodes
# often have no way to the internet.


rule make_demo:
    output:
        "results/demo/source/videos.zip",
        "results/demo/source/annotations.csv",
        "results/demo/source/train.txt",
        "results/demo/source/test.txt",
    log:
        "logs/make_demo/demo.log",
    conda:
        "../envs/media.yaml"
    resources:
        mem_mb=scaled(megabytes=2000),
        runtime=scaled(minutes=30),
    message:
        "Making the demo's videos"
    shell:
        "python -m scripts.make_demo --directory results/demo/source > {log:q} 2>&1"


rule download_file:
    output:
        "results/{originals}/downloads/{file}",
    log:
        "logs/download_file/{originals}.{file}.log",
    benchmark:
        "benchmarks/download_file/{originals}.{file}.tsv"
    # It tries several times itself.
    retries: 0
    localrule: True
    conda:
        "../envs/acquire.yaml"
    resources:
        downloads=1,
    params:
        options=file_options,
        settings=download_settings,
    message:
        "Downloading {wildcards.file} of {wildcards.originals}"
    shell:
        "python -m scripts.download_file --file {output:q} --options {params.options:q}"
        " --settings {params.settings:q} > {log:q} 2>&1"


# Which archives there are, where the config names a list of them.
checkpoint download_list:
    output:
        "results/{originals}/lists/{file}",
    log:
        "logs/download_list/{originals}.{file}.log",
    retries: 0
    localrule: True
    conda:
        "../envs/acquire.yaml"
    resources:
        downloads=1,
    params:
        options=list_options,
        settings=download_settings,
    message:
        "Downloading {wildcards.file} of {wildcards.originals}"
    shell:
        "python -m scripts.download_file --file {output:q} --options {params.options:q}"
        " --settings {params.settings:q} > {log:q} 2>&1"


rule unpack_archive:
    input:
        archive_parts,
    output:
        "results/{originals}/originals/{archive}.tsv",
    log:
        "logs/unpack_archive/{originals}.{archive}.log",
    benchmark:
        "benchmarks/unpack_archive/{originals}.{archive}.tsv"
    conda:
        "../envs/acquire.yaml"
    resources:
        mem_mb=scaled(megabytes=2000),
        runtime=scaled(minutes=240),
    params:
        options=lambda wildcards: options("unpack_archive"),
    message:
        "Unpacking {wildcards.archive} of {wildcards.originals}"
    shell:
        "python -m scripts.unpack_archive --archive {input:q} --manifest {output:q}"
        " > {log:q} 2>&1"


rule download_videos:
    input:
        shard_table,
    output:
        "results/{dataset}/videos/{shard}.tsv",
    log:
        "logs/download_videos/{dataset}.{shard}.log",
    benchmark:
        "benchmarks/download_videos/{dataset}.videos.{shard}.tsv"
    # At once it would be refused again; the next run of the workflow goes on.
    retries: 0
    localrule: True
    conda:
        "../envs/acquire.yaml"
    resources:
        downloads=1,
    params:
        options=video_options,
        retry=retry_of,
        # A new number makes Snakemake run the job anew.
        again=asked_again,
        settings=download_settings,
        clips=clips_wanted,
    message:
        "Downloading shard {wildcards.shard} of {wildcards.dataset}"
    shell:
        "python -m scripts.download_videos --table {input:q} --manifest {output:q}"
        " --retry {params.retry:q} --options {params.options:q} {params.clips:q}"
        " --settings {params.settings:q} --cooldowns resources/downloads"
        " > {log:q} 2>&1"
