# split: a scenario and a seed become a content-addressed manifest
for batch in PLAN.batches:

    rule:
        name:
            batch.rule("split")
        input:
            PLAN.data_inputs,
        output:
            expand("results/splits/{{scenario}}/seed{seed}.json", seed=batch.in_paths),
        log:
            f"results/logs/split/{{scenario}}/{batch.name}.log",
        localrule: True
        conda:
            "../../environment.yml"
        params:
            scenario=PLAN.scenario_argument,
            seeds=batch.of,
            code=PLAN.split_code,
        shell:
            "recollect split --scenario {params.scenario:q} --seeds {params.seeds} 2> {log}"
