# Events: shards, one job for each seed, and files that they are merged to. What there is to make says
# gampl_book/event_plans.toml; `make events SIZE=paper`, or a page of the paper profile, asks for it.
#
# A shard is whole as soon as its description (.json) is there, and never made twice. That is why the package's code is
# not among the inputs: a changed comment would make 5200 shards anew. What was made with which versions stands in each
# file, and a folder refuses shards of another recipe. And that is why a stamp is the output: where shards share a job of
# a cluster and one of them fails, Snakemake deletes the outputs of all, and the others are found instead of made again.

from gampl_book import event_plans as plans

EVENTS = "_build/events"
SIZE = config.get("size", "bundled")


rule shard:
    output:
        touch(f"{EVENTS}/{{size}}/{{folder}}/seed_{{seed}}.made"),
    log:
        f"{EVENTS}/{{size}}/logs/{{folder}}/seed_{{seed}}.log",
    params:
        recipe=lambda w: plans.plan(w.size).shards[w.folder].recipe,
        options=lambda w: [f"'{option}'" for option in plans.plan(w.size).shards[w.folder].options],
        seed=lambda w: int(w.seed),
    message: "events of seed {wildcards.seed} of {wildcards.folder} ({wildcards.size})"
    shell:
        "{STEP} {log:q} {PYTHON} -m gampl events make {params.recipe} {params.options}"
        " --folder {EVENTS}/{wildcards.size:q}/{wildcards.folder:q} --seeds {params.seed} --cores 1 --quiet"


rule event_file:
    input:
        lambda w: [
            f"{EVENTS}/{w.size}/{folder}/seed_{seed:09d}.made" for folder, seed in plans.needed_shards(w.size, w.name)
        ],
    output:
        f"{EVENTS}/{{size}}/{{name}}.h5",
    log:
        f"{EVENTS}/{{size}}/logs/{{name}}.log",
    params:
        options=lambda w: plans.merge_options(w.size, w.name, f"{EVENTS}/{w.size}"),
    message: "file of events {wildcards.name} ({wildcards.size})"
    shell:
        "{STEP} {log:q} {PYTHON} -m gampl events merge {params.options} --output {output:q}"


localrules:
    events,


rule events:
    input:
        [f"{EVENTS}/{SIZE}/{name}.h5" for name in plans.plan(SIZE).files],
    message: "all files of events"
