# evaluate: stored predictions become matrices and metrics, without a model
rule evaluate:
    input:
        runs=PLAN.evaluate_inputs,
        splits=PLAN.evaluate_splits,
    output:
        "results/metrics/{scenario}/{method}.json",
    log:
        "results/logs/evaluate/{scenario}/{method}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        seeds=PLAN.seeds,
        code=PLAN.evaluation_code,
    shell:
        "recollect evaluate {wildcards.scenario} {wildcards.method} --seeds {params.seeds} 2> {log}"
