# Recollect: from raw data to the tables of continual-learning papers.
#
#   fetch -> split -> train -> evaluate -> collect -> tables / figures -> report
#                                      \-> track (MLflow)
#
# snakemake --cores 2                                       the default suite
# snakemake --cores 2 --configfile config/suites/mnist.yaml another one
# snakemake --cores 1 partial                               tables of what has finished so far
import sys

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.0")


configfile: f"{workflow.basedir}/config/default.yaml"


sys.path.insert(0, str(workflow.basedir))
from recollect.errors import RecollectError
from recollect.plan import Plan

try:
    PLAN = Plan.from_config(config, [str(f) for f in workflow.configfiles])
except RecollectError as error:
    raise WorkflowError(str(error)) from None

# Every rule calls one step of the command line, with the Python that runs this file.
shell.prefix(
    f"set -euo pipefail; export PYTHONPATH='{workflow.basedir}' {PLAN.gpu_environment}; "
    f"recollect() {{{{ '{sys.executable}' -m recollect \"$@\"; }}}}; "
)


wildcard_constraints:
    dataset=r"[\w-]+",
    scenario=r"[\w-]+",
    method=r"[\w-]+",
    seed=r"\d+",
    extractor=r"[\w-]+",
    robustness_set=r"[\w-]+",
    kind="corruptions|perturbations",
    backbone=r"[\w.-]+",


rule all:
    default_target: True
    input:
        PLAN.table_files,
        PLAN.figure_files,
        PLAN.picture_files,
        PLAN.tracked,
        PLAN.report_files,
        f"results/tables/{PLAN.suite}/.complete",


include: "workflow/rules/fetch.smk"
include: "workflow/rules/split.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/extractor.smk"
include: "workflow/rules/reference.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/robustness.smk"
include: "workflow/rules/collect.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/pictures.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/track.smk"


onerror:
    print(
        "Finished runs are kept: the same command goes on where this one stopped. "
        "`snakemake --cores 1 partial` tabulates what is there.",
        file=sys.stderr,
    )
