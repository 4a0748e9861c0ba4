# split: a scenario and a seed become a content-addressed manifest
for batch in PLAN.batches:

    rule:
        name:
            f"split_{batch.name}"
        input:
            PLAN.data_inputs,
        output:
            expand("results/splits/{{scenario}}/seed{seed}.json", seed=batch.seeds),
        log:
            f"results/logs/split/{{scenario}}/{batch.name}.log",
        localrule: True
        conda:
            "../../environment.yml"
        params:
            scenario=PLAN.scenario_argument,
            seeds=batch.seeds,
            code=PLAN.split_code,
        shell:
            "recollect split --scenario {params.scenario:q} --seeds {params.seeds} 2> {log}"
