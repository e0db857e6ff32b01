# Networks that learn: results/<dataset>/trainings/<training>/model.pt.


rule fetch_training_checkpoint:
    input:
        training_checkpoint_file,
    output:
        "resources/checkpoints/trainings/{training}.json",
    log:
        "logs/fetch_training_checkpoint/{training}.log",
    # It tries several times itself.
    retries: 0
    # A compute node may have no way to the internet; the submitting host has.
    localrule: True
    conda:
        "../envs/torch.yaml"
    params:
        options=training_checkpoint_options,
    message:
        "Fetching the weights with which {wildcards.training} begins"
    shell:
        "python -m scripts.fetch_checkpoint --options {params.options:q}"
        " --directory resources/checkpoints --ticket {output:q} > {log:q} 2>&1"


# Killed, it goes on where it was: what it needs for that is no output, and stays.
rule train_model:
    input:
        splits_learnt,
        videos="results/{dataset}/index/videos.tsv",
        events="results/{dataset}/index/events.tsv",
        classes="results/{dataset}/index/classes.txt",
        clips=clips_learnt,
        ticket="resources/checkpoints/trainings/{training}.json",
    output:
        model="results/{dataset}/trainings/{training}/model.pt",
        metrics="results/{dataset}/trainings/{training}/metrics.tsv",
        table="results/{dataset}/trainings/{training}/curves.tsv",
        picture="results/{dataset}/trainings/{training}/curves.png",
    log:
        "logs/train_model/{dataset}.{training}.log",
    benchmark:
        "benchmarks/train_model/{dataset}.{training}.tsv"
    conda:
        "../envs/learn.yaml"
    threads: learners
    resources:
        gpu=training_devices,
        mem_mb=memory(megabytes=16000, a_thread=2000),
        runtime=train_minutes,
    params:
        options=training_options,
        clips=training_clips,
    message:
        "Training {wildcards.training} on {wildcards.dataset}"
    shell:
        "python -m scripts.train_model --index results/{wildcards.dataset}/index"
        " --clips {params.clips:q} --ticket {input.ticket:q}"
        " --folder results/{wildcards.dataset}/trainings/{wildcards.training}"
        " --devices {resources.gpu} --threads {threads}"
        " --options {params.options:q} > {log:q} 2>&1"
