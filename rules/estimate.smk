# What a build will take, told before it is started. A named target that makes nothing,
# so that it is done anew whenever it is asked for.


rule estimate:
    input:
        indexes_at_hand,
    log:
        "logs/estimate/all.log",
    localrule: True
    conda:
        "../envs/torch.yaml"
    params:
        options=estimate_options,
    message:
        "Estimating what the build will take"
    shell:
        "python -m scripts.estimate_build --results results"
        " --options {params.options:q} 2> {log:q}"
