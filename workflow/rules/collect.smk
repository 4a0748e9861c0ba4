# collect: one tidy frame of a suite; `partial` takes what is there and says what is missing
rule collect:
    input:
        PLAN.collect_inputs,
    output:
        PLAN.collected,
    log:
        f"results/logs/collect/{PLAN.suite}.log",
    params:
        suite=PLAN.suite_argument,
    localrule: True
    shell:
        "{RECOLLECT} collect --suite {params.suite:q} 2> {log}"


rule partial:
    log:
        f"results/logs/collect/{PLAN.suite}_partial.log",
    params:
        suite=PLAN.suite_argument,
    localrule: True
    shell:
        "{RECOLLECT} partial --suite {params.suite:q} 2> {log}"
