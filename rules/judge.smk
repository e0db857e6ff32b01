# How good models and features are: scores, figures, probes.


rule fetch_trained_checkpoint:
    input:
        "results/{dataset}/trainings/{training}/model.pt",
    output:
        "results/{dataset}/trainings/{training}/ticket.json",
    log:
        "logs/fetch_trained_checkpoint/{dataset}.{training}.log",
    retries: 0
    # It takes seconds; a queue takes longer.
    localrule: True
    conda:
        "../envs/torch.yaml"
    params:
        options=trained_options,
    message:
        "Reading what {wildcards.training} learnt from {wildcards.dataset}"
    shell:
        "python -m scripts.fetch_checkpoint --options {params.options:q}"
        " --directory resources/checkpoints --ticket {output:q} > {log:q} 2>&1"


rule score_videos:
    input:
        judged_files,
        read=videos_read,
        videos="results/{dataset}/index/videos.tsv",
        ticket=judged_ticket,
        flow_ticket=flow_ticket_read,
    output:
        "results/{dataset}/scores/{evaluation}/{shard}.tsv",
    log:
        "logs/score_videos/{dataset}.{evaluation}.{shard}.log",
    benchmark:
        "benchmarks/score_videos/{dataset}.{evaluation}.{shard}.tsv"
    conda:
        "../envs/learn.yaml"
    threads: workers
    resources:
        gpu=1,
        mem_mb=memory(megabytes=8000, a_thread=500),
        runtime=score_minutes,
    params:
        options=score_options,
        retry=retry_of,
        speed=speed_of,
    message:
        "Scoring shard {wildcards.shard} of {wildcards.dataset}"
        " ({wildcards.evaluation})"
    shell:
        "python -m scripts.score_videos --table {input.read:q}"
        " --index results/{wildcards.dataset}/index --ticket {input.ticket:q}"
        " --manifest {output:q} --threads {threads} {params.speed:q}"
        " --retry {params.retry:q} --options {params.options:q} > {log:q} 2>&1"


rule evaluate_model:
    input:
        judged_files,
        lambda wildcards: manifests_of(
            wildcards.dataset, "scores", wildcards.evaluation
        ),
        videos="results/{dataset}/index/videos.tsv",
        classes="results/{dataset}/index/classes.txt",
        ticket=judged_ticket,
    output:
        directory("results/{dataset}/evaluations/{evaluation}"),
    log:
        "logs/evaluate_model/{dataset}.{evaluation}.log",
    benchmark:
        "benchmarks/evaluate_model/{dataset}.{evaluation}.tsv"
    conda:
        "../envs/learn.yaml"
    resources:
        mem_mb=by_videos(megabytes=4000, a_video=0.02),
        runtime=by_videos(minutes=30, a_video=0.0002),
    params:
        options=evaluation_options,
    message:
        "Evaluating {wildcards.evaluation} on {wildcards.dataset}"
    shell:
        "python -m scripts.evaluate_model --index results/{wildcards.dataset}/index"
        " --scores results/{wildcards.dataset}/scores/{wildcards.evaluation}"
        " --ticket {input.ticket:q} --evaluation {output:q}"
        " --options {params.options:q} > {log:q} 2>&1"


rule probe_features:
    input:
        judged_files,
        features=judged_features,
        videos="results/{dataset}/index/videos.tsv",
        classes="results/{dataset}/index/classes.txt",
    output:
        directory("results/{dataset}/probes/{probe}"),
    log:
        "logs/probe_features/{dataset}.{probe}.log",
    benchmark:
        "benchmarks/probe_features/{dataset}.{probe}.tsv"
    conda:
        "../envs/learn.yaml"
    threads: workers
    resources:
        mem_mb=by_videos(megabytes=4000, a_video=0.05),
        runtime=by_videos(minutes=30, a_video=0.001),
    params:
        options=probe_options,
    message:
        "Probing {wildcards.probe} on {wildcards.dataset}"
    shell:
        "python -m scripts.probe_features --features {input.features:q}"
        " --index results/{wildcards.dataset}/index --probe {output:q}"
        " --threads {threads} --options {params.options:q} > {log:q} 2>&1"
