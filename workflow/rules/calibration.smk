# For systems that give grades; the report asks for nothing of it in a suite that has none.
rule calibration:
    input:
        runs=lambda w: [path for _, _, path in PLAN.graded_runs(w.dataset, w.stage)],
        candidates=f"{OUT}/candidates/{{dataset}}/{{stage}}.parquet",
        collection=f"{OUT}/collections/{{dataset}}/manifest.json",
    output:
        f"{OUT}/calibration/{{dataset}}/{{stage}}.json",
    log:
        f"{OUT}/logs/calibration/{{dataset}}/{{stage}}.log",
    conda:
        "../../environment.yml"
    params:
        library=library("evaluation/calibration.py"),
        runs=lambda w: json.dumps(PLAN.graded_runs(w.dataset, w.stage)),
        folder=collection_folder,
    shell:
        "python -m resrank calibration --collection {params.folder:q} "
        "--candidates {input.candidates:q} --runs {params.runs:q} --out {output:q} 2> {log:q}"
