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
    localrule: True
    conda:
        "../../environment.yml"
    shell:
        # Where the files lie changes no number, so it is no param.
        f"recollect fetch {{wildcards.dataset}} {PLAN.data_dir_argument} 2> >(tee {{log}} >&2)"
