# fetch: official files, found in data_dir or downloaded, become verified arrays
rule fetch:
    output:
        info="results/data/{dataset}/dataset.json",
        arrays=expand(
            "results/data/{{dataset}}/{part}_{axis}.npy",
            part=["train", "test"],
            axis=["x", "y"],
        ),
    log:
        "results/logs/fetch/{dataset}.log",
    params:
        data_dir=PLAN.data_dir_argument,
    localrule: True
    shell:
        "{RECOLLECT} fetch {wildcards.dataset} {params.data_dir} 2> >(tee {log} >&2)"
