from snakemake.utils import min_version

min_version("9.19")


# The demo is built where no file given with --configfile names a dataset.
if "datasets" not in config:

    configfile: f"{workflow.current_basedir}/config/config.yaml"


include: "rules/common.smk"
include: "rules/acquired.smk"
include: "rules/inputs.smk"
include: "rules/params.smk"
include: "rules/arguments.smk"
include: "rules/resources.smk"
include: "rules/judged.smk"
include: "rules/trained.smk"
include: "rules/acquire.smk"
include: "rules/index.smk"
include: "rules/normalise.smk"
include: "rules/dump.smk"
include: "rules/lists.smk"
include: "rules/train.smk"
include: "rules/features.smk"
include: "rules/aggregate.smk"
include: "rules/judge.smk"
include: "rules/report.smk"
include: "rules/estimate.smk"


# Everything; ends with an error where more videos failed than `max_failed` allows.
rule all:
    default_target: True
    input:
        expand("results/{dataset}/checked.txt", dataset=DATASETS),
        every(mapped_of),
        every(trainings_of),


# All that is downloaded and unpacked, for instance before nodes without internet start.
rule originals:
    input:
        every(originals_of),


# Clean clips in every encoding that something reads.
rule clips:
    input:
        every(clips_of),


# Frames of the encodings under `frames`.
rule frames:
    input:
        every(frames_of),


# Optical flow, every one under `flow` that is written to files.
rule flow:
    input:
        every(flow_of),


# Split lists in every format.
rule lists:
    input:
        every(lists_of),


# One HDF5 for each dataset and model, and where in it the annotated events are.
rule features:
    input:
        every(features_of),
        every(mapped_of),


# Tests of models on lists of videos, every one under `evaluations`.
rule evaluations:
    input:
        every(evaluations_of),


# Classifiers on features, every one under `probes`.
rule probes:
    input:
        every(probes_of),


# Every network that is to learn.
rule trainings:
    input:
        every(trainings_of),


# The reports, whatever failed.
rule reports:
    input:
        expand("results/{dataset}/report.html", dataset=DATASETS),
