rule score:
    input:
        runs=lambda w: [path for _, _, path in PLAN.runs(w.dataset, w.stage)],
        candidates=f"{OUT}/candidates/{{dataset}}/{{stage}}.parquet",
        collection=f"{OUT}/collections/{{dataset}}/manifest.json",
        trained_on=lambda w: sorted(
            {
                f"{folder}/manifest.json"
                for folders in PLAN.learned_from(w.stage).values()
                for folder in folders
            }
        ),
    output:
        scores=f"{OUT}/scores/{{dataset}}/{{stage}}.parquet",
        audits=f"{OUT}/audits/{{dataset}}/{{stage}}.json",
    log:
        f"{OUT}/logs/score/{{dataset}}/{{stage}}.log",
    conda:
        "../../environment.yml"
    params:
        library=library("evaluation"),
        runs=lambda w: json.dumps(PLAN.runs(w.dataset, w.stage)),
        trained_on=lambda w: json.dumps(PLAN.learned_from(w.stage), sort_keys=True),
        metrics=json.dumps(SUITE.suite.metrics),
        grade=lambda w: SUITE.collections[w.dataset].relevant_grade,
        folder=collection_folder,
    shell:
        "python -m resrank score --collection {params.folder:q} "
        "--candidates {input.candidates:q} --runs {params.runs:q} "
        "--trained-on {params.trained_on:q} --metrics {params.metrics:q} "
        "--relevant-grade {params.grade} --out {output.scores:q} "
        "--audits {output.audits:q} 2> {log:q}"


rule significance:
    input:
        scores=f"{OUT}/scores/{{dataset}}/{{stage}}.parquet",
    output:
        f"{OUT}/statistics/{{dataset}}/{{stage}}.json",
    log:
        f"{OUT}/logs/significance/{{dataset}}/{{stage}}.log",
    conda:
        "../../environment.yml"
    params:
        library=library("evaluation"),
        metric=SUITE.suite.metrics[0],
    shell:
        "python -m resrank significance --scores {input.scores:q} --metric {params.metric:q} "
        "--out {output:q} 2> {log:q}"


# What `snakemake --report` shows: what every suite has, and what only some have. A suite of random
# weights has nothing of scores, which say nothing.
SHOWN = [
    "tables/comparison.csv",
    "tables/first_stages.csv",
    "tables/audits.csv",
    "tables/tokens.csv",
]
SHOWN += ["tables/efficiency.csv"] if SUITE.timed else []
SHOWN += ["tables/leak.csv"] if PLAN.audits_leaks else []
SHOWN += ["tables/modes.csv"] if SUITE.list_readers else []
if not SUITE.costs_alone:
    SHOWN += [f"tables/{n}.csv" for n in ("effectiveness", "scores", "significance")]
    SHOWN += [
        f"figures/{n}.svg"
        for n in (
            "scores",
            "significance",
            "effectiveness_latency",
            "effectiveness_tokens",
        )
    ]
    SHOWN += [] if SUITE.suite.demonstration else ["tables/claims.csv"]
    SHOWN += ["tables/ablation.csv"] if SUITE.suite.ablation else []
    if SUITE.suite.sensitivity:
        SHOWN += ["tables/sensitivity.csv", "figures/sensitivity.svg"]
SHOWN += ["figures/training_curves.svg"] if SUITE.trained else []
if SUITE.judges:
    SHOWN += [
        "tables/calibration.csv",
        "tables/confusion.csv",
        "figures/reliability.svg",
    ]


rule report:
    input:
        *over_pairs(PLAN.reported),
        claims=sorted(map(str, Path("config/claims").glob("*.yaml"))),
        shapes="config/architectures.yaml",
        curves=[
            f"{OUT}/models/{system}/seed{seed}.{ending}"
            for ending in ("log.jsonl", "manifest.json")
            for system in SUITE.trained
            for seed in SUITE.seeds_of(system)
        ],
    output:
        f"{OUT}/report.manifest.json",
        *[
            report(
                f"{OUT}/{path}",
                caption=f"../report/{Path(path).stem}.rst",
                category=Path(path).parent.name.capitalize(),
            )
            for path in SHOWN
        ],
    log:
        f"{OUT}/logs/report.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        library=library(
            "reporting", "efficiency", "evaluation/claims.py", "model/architectures.py"
        ),
        suite=as_json(SUITE.given),
        absent=lambda w: json.dumps(absent(w), sort_keys=True),
        root=lambda w, output: str(Path(output[0]).parent),
    shell:
        "python -m resrank report --suite {params.suite:q} --absent {params.absent:q} "
        "--root {params.root:q} 2> {log:q}"


rule page:
    input:
        *over_pairs(lambda d, s: [path for _, _, path in PLAN.runs(d, s)]),
        look=[
            f"resrank/reporting/page/{name}"
            for name in ("index.html.j2", "page.css", "page.js")
        ],
        report=f"{OUT}/report.manifest.json",
    output:
        f"{OUT}/report/index.html",
    log:
        f"{OUT}/logs/page.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        library=library("reporting/page", "reporting/results.py"),
        root=lambda w, output: str(Path(output[0]).parent.parent),
    shell:
        "python -m resrank page {params.root:q} --out {output:q} > {log:q} 2>&1"
