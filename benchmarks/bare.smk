# The graph of a build with models, and nothing else: what Snakemake itself costs.

SHARDS = [f"{number:05d}" for number in range(int(config["shards"]))]
MODELS = [f"model{number}" for number in range(int(config["models"]))]


rule all:
    input:
        expand("features/{model}.h5", model=MODELS),


rule transcode_clips:
    input:
        "shards/{shard}.tsv",
    output:
        "clips/{shard}.tsv",
    shell:
        "touch {output}"


rule fetch_checkpoint:
    output:
        "checkpoints/{model}.json",
    shell:
        "touch {output}"


rule extract_features:
    input:
        "clips/{shard}.tsv",
        "checkpoints/{model}.json",
    output:
        "features/{model}/{shard}.tsv",
    params:
        step=lambda wildcards: config["steps"][wildcards.model],
    shell:
        "touch {output}"


rule aggregate_features:
    input:
        expand("features/{{model}}/{shard}.tsv", shard=SHARDS),
    output:
        "features/{model}.h5",
    shell:
        "touch {output}"
