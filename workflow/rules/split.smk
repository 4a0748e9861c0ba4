# domains: clusters of frozen features become domains, for scenarios whose data set comes with none
rule domains:
    input:
        PLAN.domain_inputs,
    output:
        "results/domains/{scenario}.json",
    log:
        "results/logs/domains/{scenario}.log",
    conda:
        "../../environment.yml"
    threads: PLAN.threads
    resources:
        mem_mb=PLAN.mem_mb,
    params:
        scenario=PLAN.scenario_argument,
        engine=PLAN.engine_argument,
        code=PLAN.step_code("domains"),
    shell:
        "recollect domains --scenario {params.scenario:q} {params.engine} 2> >(tee {log} >&2)"


# split: a scenario and a seed become a content-addressed manifest
for batch in PLAN.batches:

    rule:
        name:
            batch.rule("split")
        input:
            PLAN.split_inputs,
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
