# evaluate: stored predictions become matrices and metrics, without a model; snapshots of generators are sampled
rule evaluate:
    input:
        runs=PLAN.evaluate_inputs,
        splits=PLAN.evaluate_splits,
    output:
        "results/metrics/{scenario}/{method}.json",
    log:
        "results/logs/evaluate/{scenario}/{method}.log",
    wildcard_constraints:
        method=PLAN.makers("answers"),
    localrule: True
    conda:
        "../../environment.yml"
    params:
        seeds=PLAN.seeds,
        code=PLAN.evaluation_code,
    shell:
        "recollect evaluate {wildcards.scenario} {wildcards.method} --seeds {params.seeds} 2> {log}"


rule evaluate_samples:
    input:
        runs=PLAN.evaluate_inputs,
        splits=PLAN.evaluate_splits,
        reference=PLAN.reference_inputs,
    output:
        "results/metrics/{scenario}/{method}.json",
    log:
        "results/logs/evaluate/{scenario}/{method}.log",
    wildcard_constraints:
        method=PLAN.makers("images"),
    conda:
        "../../environment.yml"
    threads: PLAN.threads
    resources:
        mem_mb=PLAN.mem_mb,
    params:
        scenario=PLAN.judged_scenario_argument,
        seeds=PLAN.seeds,
        engine=PLAN.engine_argument,
        code=PLAN.step_code("evaluate_samples"),
    shell:
        "recollect evaluate-samples {wildcards.method} --scenario {params.scenario:q} --seeds {params.seeds} "
        "{params.engine} 2> {log}"
