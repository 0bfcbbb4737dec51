import time

SINCE = time.time()


# Snakemake shows no log behind an empty one, and a job that Slurm kills has often written nothing.
onerror:
    logs = Path(".snakemake/slurm_logs").glob("**/*.log")
    for path in sorted(logs) if workflow.is_main_process else ():
        lines = path.read_text(errors="replace").splitlines()
        killed = [line for line in lines if line.startswith("slurmstepd")]
        if killed and path.stat().st_mtime >= SINCE:
            logger.error(
                "\n".join([f"Slurm ended a job ({path}):", *dict.fromkeys(killed)])
            )
            logger.error(
                "Where memory or time ran out: more mem_mb or runtime for its rule."
            )
