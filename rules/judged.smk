"""What evaluations and probes are about: models, lists of videos, and options."""


def judged(section, folder):
    """Return a function that gives the results of a section for one dataset."""
    return lambda dataset: [
        f"results/{dataset}/{folder}/{name}"
        for name, entry in section.items()
        if dataset in (entry["datasets"] or DATASETS)
    ]


evaluations_of = judged(EVALUATIONS, "evaluations")
probes_of = judged(PROBES, "probes")


def judging(wildcards):
    """Return the entry of an evaluation or of a probe."""
    if "probe" in wildcards.keys():
        return PROBES[wildcards.probe]
    return EVALUATIONS[wildcards.evaluation]


def model_entry(wildcards):
    """Return the entry of `models` that a job is about, or one like it of a training."""
    name = wildcards.get("model") or judging(wildcards)["model"]
    return MODELS.get(name) or trained_model(CONFIG, name, wildcards.dataset)


def judged_splits(wildcards):
    """Return the set of splits that an evaluation or a probe goes by."""
    known = DATASETS[wildcards.dataset]["splits"]
    return judging(wildcards)["splits"] or next(iter(known))


def judged_files(wildcards):
    """Return the files of that set of splits."""
    return split_lists(DATASETS[wildcards.dataset], judged_splits(wildcards))


def judged_ticket(wildcards):
    """Return the ticket of the weights of an evaluation's model."""
    name = judging(wildcards)["model"]
    if name in MODELS:
        return f"resources/checkpoints/{name}.json"
    return f"results/{wildcards.dataset}/trainings/{name}/ticket.json"


def judged_features(wildcards):
    """Return the file of the features that a probe reads."""
    return f"results/{wildcards.dataset}/features/{judging(wildcards)['model']}.h5"


def list_asked(wildcards):
    """Return which videos an evaluation or a probe is tested on."""
    dataset, splits = DATASETS[wildcards.dataset], judged_splits(wildcards)
    return {**set_of_splits(dataset, splits), "split": judging(wildcards)["split"]}


@same_for_shards
def score_options(wildcards):
    """Return what scores depend on, besides the clips and the weights."""
    return options(
        "score_videos", list=list_asked(wildcards), **scores_asked(wildcards)
    )


def scores_asked(wildcards):
    """Return what an evaluation asks of a model, of its clips and of its views."""
    entry = judging(wildcards)
    own = {"features": ["logits"], "dtype": "float32", "views": entry["views"]}
    return features_asked(model_entry(wildcards)) | own


def trained_options(wildcards):
    """Return which weights a network has that was trained here."""
    entry = trained_model(CONFIG, wildcards.training, wildcards.dataset)
    keys = ("model", "checkpoint")
    return options("fetch_checkpoint", **{key: entry[key] for key in keys})


def evaluation_options(wildcards):
    """Return what an evaluation depends on, besides the scores."""
    return options(
        "evaluate_model",
        list=list_asked(wildcards),
        scores=scores_asked(wildcards),
        title=f"{wildcards.evaluation} on {wildcards.dataset}",
    )


def probe_options(wildcards):
    """Return what a probe depends on, besides the features."""
    entry = judging(wildcards)
    keys = ("feature", "method", "strengths", "neighbours", "seed")
    return options(
        "probe_features",
        list=list_asked(wildcards),
        title=f"{wildcards.probe} on {wildcards.dataset}",
        **{key: entry[key] for key in keys},
    )
