# Split lists: results/<dataset>/splits/<format>/<set of splits>/train.txt.


rule write_splits:
    input:
        split_files,
        videos="results/{dataset}/index/videos.tsv",
        events="results/{dataset}/index/events.tsv",
        classes="results/{dataset}/index/classes.txt",
        clips=clips_listed,
        frames=frames_listed,
    output:
        directory("results/{dataset}/splits/{format}/{splits}"),
    log:
        "logs/write_splits/{dataset}.{format}.{splits}.log",
    conda:
        "../envs/tables.yaml"
    resources:
        mem_mb=scaled(megabytes=4000),
        runtime=scaled(minutes=30),
    params:
        options=split_options,
        clips=listed("clips"),
        frames=listed("frames"),
    message:
        "Writing the lists {wildcards.splits} of {wildcards.dataset}"
    shell:
        "python -m scripts.write_splits --index results/{wildcards.dataset}/index"
        " {params.clips:q} {params.frames:q} --lists {output:q}"
        " --format {wildcards.format} --options {params.options:q} > {log:q} 2>&1"
