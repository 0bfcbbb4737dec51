import time

SINCE = time.time()


# Snakemake shows no log behind an empty one, and a job that Slurm kills has often written nothing.
onerror:
    for path in sorted(Path(".snakemake/slurm_logs").glob("**/*.log")):
        if path.stat().st_mtime >= SINCE:
            lines = path.read_text(errors="replace").splitlines()
            killed = [line for line in lines if line.startswith("slurmstepd")]
            if killed:
                logger.error(f"{path}:\n" + "\n".join(dict.fromkeys(killed)))
