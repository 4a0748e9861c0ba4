# tables and figures: from the collected frame and the stored matrices; `update` leaves the old files in place,
# so that a table or figure that shows nothing new is kept
rule tables:
    input:
        PLAN.collected,
    output:
        update(PLAN.table_sources),
        report(
            update(PLAN.table_pages),
            caption="../report/table.rst",
            category="Tables",
        ),
    log:
        f"results/logs/tables/{PLAN.suite}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        suite=PLAN.suite_argument,
    shell:
        "recollect tables --suite {params.suite:q} 2> {log}"


rule figures:
    input:
        collected=PLAN.collected,
        metrics=PLAN.collect_inputs,
    output:
        update(PLAN.figure_vectors),
        report(
            update(PLAN.figure_images),
            caption="../report/figure.rst",
            category="Figures",
        ),
    log:
        f"results/logs/figures/{PLAN.suite}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        suite=PLAN.suite_argument,
    shell:
        "recollect figures --suite {params.suite:q} 2> {log}"


# Last of all: says which runs did not come out, with a status that a script notices.
rule check_runs:
    input:
        collected=PLAN.collected,
        tables=PLAN.table_files,
        figures=PLAN.figure_files,
    output:
        touch(f"results/tables/{PLAN.suite}/.complete"),
    log:
        f"results/logs/check/{PLAN.suite}.log",
    localrule: True
    conda:
        "../../environment.yml"
    shell:
        "recollect check {input.collected} 2> {log}"
