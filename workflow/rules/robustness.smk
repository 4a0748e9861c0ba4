# corruptions: corrupted copies of a test set, official ones in data_dir or made here, are listed with their hashes
rule corruptions:
    input:
        PLAN.corruption_inputs,
    output:
        "results/corruptions/{robustness_set}/{kind}.json",
    log:
        "results/logs/corruptions/{robustness_set}/{kind}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=PLAN.step_code("corruptions"),
    shell:
        # Where the files lie changes no number, so it is no param.
        f"recollect corruptions {{wildcards.robustness_set}} --kind {{wildcards.kind}} {PLAN.data_dir_only} "
        "2> >(tee {log} >&2)"


# robustness: stored models of finished runs answer on corrupted images, without training
rule robustness:
    input:
        runs=PLAN.evaluate_inputs,
        splits=PLAN.evaluate_splits,
        data=PLAN.data_inputs,
        images=PLAN.corruption_lists,
    output:
        "results/robustness/{scenario}/{method}.json",
    log:
        "results/logs/robustness/{scenario}/{method}.log",
    conda:
        "../../environment.yml"
    threads: PLAN.threads
    resources:
        mem_mb=PLAN.mem_mb,
    params:
        scenario=PLAN.scenario_argument,
        seeds=PLAN.seeds,
        engine=PLAN.engine_argument,
        images=PLAN.robustness_set,
        code=PLAN.step_code("robustness"),
    shell:
        f"recollect robustness {{wildcards.method}} --scenario {{params.scenario:q}} --seeds {{params.seeds}} "
        f"--set {{params.images}} {PLAN.data_dir_only} "
        "{params.engine} 2> >(tee {log} >&2)"
