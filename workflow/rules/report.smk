# report: tables, verdicts, claims, statistics, figures and runs of a suite on one page
rule report:
    input:
        collected=PLAN.collected,
        tables=PLAN.table_files,
        figures=PLAN.figure_files,
        pictures=PLAN.picture_files,
        metrics=PLAN.collect_inputs,
        claims=PLAN.claim_files,
    output:
        report(
            PLAN.report_files[0],
            caption="../report/page.rst",
            category="Everything on one page",
        ),
        PLAN.report_files[1:],
    log:
        f"results/logs/report/{PLAN.suite}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        suite=PLAN.suite_argument,
        command=PLAN.command,
    shell:
        "recollect report --suite {params.suite:q} --command {params.command:q} 2> {log}"
