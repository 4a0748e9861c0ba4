# track: the one writer of the MLflow store; files stay the truth
rule track:
    input:
        PLAN.collect_inputs,
        PLAN.collected,
    output:
        PLAN.tracked,
    log:
        f"results/logs/track/{PLAN.suite}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        suite=PLAN.suite_argument,
        uri=PLAN.mlflow_uri,
    shell:
        "recollect track --suite {params.suite:q} --uri {params.uri:q} --receipt {output} 2> {log}"
