# The whole DAG of one suite: `snakemake --cores 2 all`. Another suite: `snakemake --cores 2 all --configfile my_suite.yaml`.
# `--config` alone changes the demo.
if not workflow.configfiles:

    configfile: f"{workflow.basedir}/config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/collections.smk"
include: "workflow/rules/encode.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/teach.smk"
include: "workflow/rules/rerank.smk"
include: "workflow/rules/shards.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/sensitivity.smk"
include: "workflow/rules/calibration.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/cluster.smk"


localrules:
    all,


rule all:
    default_target: True
    input:
        *over_pairs(PLAN.reported),
        f"{OUT}/report.manifest.json",
        f"{OUT}/report/index.html",
