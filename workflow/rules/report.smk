rule score:
    input:
        runs=lambda w: [path for _, _, path in PLAN.runs(*pair(w))],
        candidates=PLAN.candidates(*PAIR),
        collection=PLAN.collection_manifest("{collection}"),
        trained_on=lambda w: sorted(
            {
                f"{folder}/manifest.json"
                for folders in PLAN.learned_from(*pair(w)).values()
                for folder in folders
            }
        ),
    output:
        scores=PLAN.scores(*PAIR),
        audits=PLAN.audits(*PAIR),
    log:
        PLAN.log("score", *PAIR),
    conda:
        "../../environment.yml"
    params:
        library=sources("resrank.evaluation.score"),
        trained_on=lambda w: json.dumps(PLAN.learned_from(*pair(w)), sort_keys=True),
        metrics=SUITE.suite.metrics,
        relevant_grade=lambda w: SUITE.collections[w.collection].relevant_grade,
    shell:
        job("score", OF_PAIR)


rule significance:
    input:
        scores=PLAN.scores(*PAIR),
    output:
        PLAN.statistics(*PAIR),
    log:
        PLAN.log("significance", *PAIR),
    conda:
        "../../environment.yml"
    params:
        library=sources("resrank.evaluation.all_pairs"),
        metric=SUITE.suite.metrics[0],
        families=lambda w: json.dumps(PLAN.families(w.collection)),
    shell:
        job("significance", OF_PAIR)


# What `snakemake --report` shows: what every suite has, and what only some have. A suite of random
# weights has no tables of scores, which would mean nothing.
IN_REPORT = [
    "tables/comparison.csv",
    "tables/first_stages.csv",
    "tables/audits.csv",
    "tables/tokens.csv",
]
IN_REPORT += ["tables/efficiency.csv"] if SUITE.timed else []
IN_REPORT += ["tables/leak.csv"] if PLAN.audits_leaks else []
IN_REPORT += ["tables/modes.csv"] if SUITE.list_readers else []
if not SUITE.costs_alone:
    IN_REPORT += [
        f"tables/{n}.csv" for n in ("effectiveness", "pareto", "scores", "significance")
    ]
    IN_REPORT += [
        f"figures/{n}.svg"
        for n in (
            "scores",
            "significance",
            "effectiveness_latency",
            "effectiveness_tokens",
        )
    ]
    IN_REPORT += [] if SUITE.suite.demonstration else ["tables/claims.csv"]
    IN_REPORT += ["tables/ablation.csv"] if SUITE.reports_ablation else []
    IN_REPORT += (
        ["tables/ablation_by_label.csv"] if SUITE.reports_ablation_by_label else []
    )
    if SUITE.suite.sensitivity:
        IN_REPORT += ["tables/sensitivity.csv", "figures/sensitivity.svg"]
IN_REPORT += ["figures/training_curves.svg"] if SUITE.trained else []
if SUITE.judges:
    IN_REPORT += [
        "tables/calibration.csv",
        "tables/confusion.csv",
        "figures/reliability.svg",
    ]


rule report:
    input:
        *over_pairs(PLAN.reported),
        claims=shipped_files("claims/*.yaml"),
        shapes=shipped_files("architectures.yaml", "wheels.yaml"),
        curves=[
            f"{PLAN.saved_model(system, seed)}.{ending}"
            for ending in ("log.jsonl", "manifest.json")
            for system in SUITE.trained
            for seed in SUITE.seeds_of(system)
        ],
    output:
        PLAN.report_manifest,
        *[
            report(
                f"{OUT}/{path}",
                caption=f"../report/{Path(path).stem}.rst",
                category=Path(path).parent.name.capitalize(),
            )
            for path in IN_REPORT
        ],
    log:
        PLAN.log("report"),
    localrule: True
    conda:
        "../../environment.yml"
    params:
        library=sources("resrank.reporting.report"),
        suite=merged_hash(PLAN),
        labels=SUITE.labels,
        absent=lambda w: json.dumps(absent(w), sort_keys=True),
    shell:
        job("report")


rule page:
    input:
        *over_pairs(lambda c, s: [path for _, _, path in PLAN.runs(c, s)]),
        report=PLAN.report_manifest,
    output:
        PLAN.page,
    log:
        PLAN.log("page"),
    localrule: True
    conda:
        "../../environment.yml"
    params:
        library=sources("resrank.reporting.page.build"),
        root=lambda w, output: str(Path(output[0]).parent.parent),
    shell:
        "python -m resrank page {params.root:q} --out {output:q} > {log:q} 2>&1"
