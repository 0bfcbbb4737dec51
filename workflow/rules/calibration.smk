# For systems that give grades; a suite without them never asks for this rule's output.
rule calibration:
    input:
        runs=lambda w: [path for _, _, path in PLAN.graded_runs(*pair(w))],
        candidates=PLAN.candidates(*PAIR),
        collection=PLAN.collection_manifest("{collection}"),
    output:
        PLAN.calibration(*PAIR),
    log:
        PLAN.log("calibration", *PAIR),
    conda:
        "../../environment.yml"
    params:
        library=sources("resrank.evaluation.calibration"),
    shell:
        job("calibration", OF_PAIR)
