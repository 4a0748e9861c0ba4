# pictures: stored models of generators are sampled and drawn; methods that look at themselves are drawn from their records
for group in PLAN.pictures:

    rule:
        name:
            f"pictures_{group.name}"
        input:
            runs=PLAN.evaluate_inputs,
            splits=PLAN.evaluate_splits,
            data=PLAN.data_inputs,
        output:
            group.outputs,
        log:
            "results/logs/pictures/{scenario}/{method}.log",
        wildcard_constraints:
            method=group.pattern,
        conda:
            "../../environment.yml"
        threads: PLAN.threads
        resources:
            mem_mb=PLAN.mem_mb,
        params:
            scenario=PLAN.scenario_argument,
            label=PLAN.label,
            kinds=group.kinds,
            seeds=PLAN.seeds,
            engine=PLAN.engine_argument,
            code=PLAN.step_code("pictures"),
        shell:
            f"recollect pictures {{wildcards.method}} --scenario {{params.scenario:q}} --seeds {{params.seeds}} "
            f"--kinds {{params.kinds}} --label {{params.label:q}} --folder {group.folder} "
            "{params.engine} 2> {log}"
