"""What Snakemake's own process costs while empty steps run, here and with a Slurm that is only pretended.

    python benchmarks/steps.py --steps 1000 --seconds 0 0.3 2

Prints the CPU time of the process between the first step and the last, without that of the steps. The pretended Slurm
takes every job at once and says that it is completed when its seconds are over: what a real one would take for its jobs
is not counted here anyway, and 1000 of them take no hour.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SNAKEFILE = """\
import json, resource, time
from pathlib import Path

def note(name):
    used = resource.getrusage(resource.RUSAGE_SELF)
    Path(name).write_text(json.dumps([time.monotonic(), used.ru_utime + used.ru_stime]))

onstart: note("start.json")
onsuccess: note("end.json")

rule all:
    input: expand("done/{{i}}", i=range({steps}))

rule step:
    output: touch("done/{{i}}")
    log: "logs/{{i}}.log"
    message: "step {{wildcards.i}}"
    shell: "{command}"
"""

SLURM = {
    "sbatch": """i=$(printf %s "$*" | sed -n 's/.*step:i=\\([0-9]*\\).*/\\1/p')
touch done/$i; echo $((i + 1)) $(date +%s) >> jobs; echo $((i + 1))""",
    "squeue": """[ "$1" = --me ] || [ ! -e jobs ] ||
awk -v now=$(date +%s) '{print $1 "|" (now - $2 < SECONDS ? "RUNNING" : "COMPLETED")}' jobs""",
    "scontrol": "echo 'MinJobAge = 3600 sec'",
    "sacct": "exit 1",
    "sinfo": "echo 'main*'",
    "scancel": "true",
}

# in a process of its own, whose time is taken; argv: the cluster, and how many steps at a time on this machine
RUN = """\
import sys
from gampl_book import build, cluster
name, cores = sys.argv[1:]
options = ["--nolock", "--logger", "report", *cluster.arguments(name), *([] if name else ["--cores", cores])]
sys.exit(build._run_snakemake(["all", *options]))
"""


def measure(steps: int, seconds: float, cluster: str, cores: int) -> str:
    """One line about a run of so many steps of so many seconds."""
    with tempfile.TemporaryDirectory() as folder:
        place, programs = Path(folder), Path(folder, "bin")
        (place / "done").mkdir()
        programs.mkdir()
        for name, text in SLURM.items() if cluster else ():
            (programs / name).write_text(f"#!/bin/sh\n{text.replace('SECONDS', str(seconds))}\n")
            (programs / name).chmod(0o755)
        command = f"sleep {seconds}" if seconds else "true"
        (place / "Snakefile").write_text(SNAKEFILE.format(steps=steps, command=command))
        path = f"{programs}:{os.environ['PATH']}"
        root = Path(__file__).resolve().parents[1]
        variables = os.environ | {"PATH": path, "PYTHONPATH": str(root), "GAMPL_DEVICE": "cpu"}
        run = [sys.executable, "-c", RUN, cluster, str(cores)]
        done = subprocess.run(run, cwd=place, env=variables, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr[:3000])
        (start, before), (end, after) = (json.loads((place / f"{name}.json").read_text()) for name in ("start", "end"))
    cpu, wall = after - before, end - start
    where = cluster or f"here, {cores} at a time"
    each = f"{1000 * cpu / steps:.1f} ms of CPU each, {100 * cpu / wall:.2f} % of a core for {wall:.0f} s"
    return f"{steps} steps of {seconds:g} s, {where}: {each}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, nargs="+", default=[1000])
    parser.add_argument("--seconds", type=float, nargs="+", default=[0.0, 0.3, 2.0])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--cluster", nargs="+", default=["", "slurm"])
    options = parser.parse_args()
    for cluster in options.cluster:
        for steps in options.steps:
            for seconds in options.seconds:
                print(measure(steps, seconds, cluster, options.cores), flush=True)  # noqa: T201
