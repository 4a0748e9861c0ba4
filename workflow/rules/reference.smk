# reference: features of every task's evaluation images, computed once for the seeds of a batch
for batch in PLAN.batches:

    rule:
        name:
            batch.rule("reference")
        input:
            splits=expand(
                "results/splits/{{scenario}}/seed{seed}.json", seed=batch.in_paths
            ),
            data=PLAN.data_inputs,
            extractor="results/extractors/{extractor}/extractor.json",
        output:
            expand(
                "results/features/{{scenario}}/{{extractor}}/seed{seed}.npz",
                seed=batch.in_paths,
            ),
        log:
            f"results/logs/reference/{{scenario}}/{{extractor}}/{batch.name}.log",
        conda:
            "../../environment.yml"
        threads: PLAN.threads
        resources:
            mem_mb=PLAN.mem_mb,
        params:
            scenario=PLAN.scenario_argument,
            engine=PLAN.engine_argument,
            seeds=batch.of,
            code=PLAN.step_code("reference"),
        shell:
            "recollect reference --scenario {params.scenario:q} --extractor {wildcards.extractor} "
            "--seeds {params.seeds} {params.engine} 2> {log}"
