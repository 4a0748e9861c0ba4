# collect: one tidy frame of a suite; `partial` takes what is there and says what is missing
rule collect:
    input:
        PLAN.collect_inputs,
        PLAN.robustness_files,
    output:
        PLAN.collected,
    log:
        f"results/logs/collect/{PLAN.suite}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        suite=PLAN.suite_argument,
    shell:
        "recollect collect --suite {params.suite:q} 2> {log}"


rule partial:
    log:
        f"results/logs/collect/{PLAN.suite}_partial.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        suite=PLAN.suite_argument,
    shell:
        "recollect partial --suite {params.suite:q} 2> {log}"
