"""What else a job is told: it changes no result.

What a function returns that asks for `input` is not tracked by Snakemake.
"""

@same_for_shards
def retry_of(wildcards):
    """Return the reasons that a dataset's jobs try again, as JSON."""
    return json.dumps(DATASETS[wildcards.dataset]["retry"])


@same_for_shards
def download_settings(wildcards, input):
    """Return how to download, as JSON; by asking for `input` it is not tracked."""
    settings = dict(CONFIG["download"])
    del settings["short_side"]
    return json.dumps(settings)


def downloads_spent(wildcards, input):
    """Return the argument by which downloads go; by asking for `input` not tracked."""
    return clips_wanted(wildcards)


@same_for_shards
def flow_batch(wildcards, input):
    """Return the frames at a time; by asking for `input` it is not tracked."""
    return FLOW[wildcards.flow]["batch_size"]


@same_for_shards
def ticket_argument(wildcards, input):
    """Return the argument that names a ticket, where there is one."""
    return ["--ticket", input.ticket] if input.get("ticket") else []


def listed(stage):
    """Return the argument that names the folder of what the lists name, if it is there.

    By asking for `input` it is not tracked; the manifests themselves are.
    """

    def argument(wildcards, input):
        folder = f"results/{wildcards.dataset}/{stage}/{LISTS['encoding']}"
        return [f"--{stage}", folder] if input.get(stage) else []

    return argument


def together(wildcards, input):
    """Return the models fused with a job's, as JSON; by asking for `input` untracked.

    A result depends on its own options alone, whichever job has made it.
    """
    own = MODELS[wildcards.model]
    if not own["fused"]:
        return []
    same = ("fused", "encoding", "read", "decoder", "flow")
    folder = f"results/{wildcards.dataset}/features"
    fused = [
        {
            "options": {
                "version": VERSIONS["extract_features"],
                **features_asked(entry),
            },
            "ticket": f"resources/checkpoints/{name}.json",
            "manifest": f"{folder}/{name}/{wildcards.shard}.tsv",
            "batch_size": entry["batch_size"],
            "compile": entry["compile"],
        }
        for name, entry in MODELS.items()
        if name != wildcards.model and all(entry[key] == own[key] for key in same)
    ]
    return ["--together", json.dumps(fused)] if fused else []


def originals_folder(wildcards, input):
    """Return the folder of a dataset's originals."""
    return DATASETS[wildcards.dataset]["originals"]


def paths_of(key):
    """Return some inputs; a dry run asks for them before lists of archives are here."""
    return lambda wildcards, input: input.get(key) or []


def names_of(key):
    """Return the names of manifests; thousands of paths overfill a command line."""

    def names(wildcards, input):
        folder = f"results/{originals_folder(wildcards, input)}/originals"
        paths = paths_of(key)(wildcards, input)
        manifests = [Path(path).relative_to(folder) for path in paths]
        return [str(manifest.with_suffix("")) for manifest in manifests]

    return names


@same_for_shards
def speed_of(wildcards, input):
    """Return arguments that change no result; by asking for `input` not tracked."""
    entry = model_entry(wildcards)
    flow = FLOW.get(entry["flow"])
    speed = ["--batch-size", str(entry["batch_size"])]
    speed += ["--compile"] * entry["compile"]
    speed += ["--flow-batch-size", str(flow["batch_size"])] if flow else []
    return speed + (["--flow-ticket", input.flow_ticket] if input.flow_ticket else [])


def videos_folder(wildcards):
    """Return the folder of downloaded videos, where there are any."""
    dataset = wildcards.dataset
    return [f"results/{dataset}/videos"] if in_place(dataset) else []


def folders(stage, encodings):
    """Return a stage's folders; thousands of manifests overfill a command line."""
    return lambda wildcards: [
        f"results/{wildcards.dataset}/{stage}/{encoding}" for encoding in encodings
    ]


def indexes_at_hand(wildcards):
    """Return the indexes that are there, or for which no archive has to come first."""
    return [
        f"results/{name}/index/shards.tsv"
        for name, dataset in DATASETS.items()
        if not originals.archive_entries(dataset)
        or Path(f"results/{name}/index/shards.tsv").exists()
    ]


def estimate_options(wildcards, input):
    """Return what decides about the size of the build."""
    datasets = {
        name: {
            "source": (
                "annotations" if in_place(name) else next(iter(dataset["source"]))
            ),
            "shards": dataset["shards"],
            "keep_originals": dataset["keep_originals"],
            "expected": dataset["expected"].get("videos"),
        }
        for name, dataset in DATASETS.items()
    }
    return json.dumps(
        {
            "datasets": datasets,
            "encodings": {name: CONFIG["encodings"][name] for name in NEEDED},
            "frames": CONFIG["frames"],
            "flow": FLOW,
            "models": {name: features_asked(entry) for name, entry in MODELS.items()},
        }
    )
