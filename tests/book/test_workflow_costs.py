"""The workflow's own work: counted, because what it takes depends on the machine."""

import json
import subprocess
import sys

import pytest
import yaml
from small_project import ROOT

from gampl_book import build, cluster

SNAKEFILE = """
rule all:
    input: expand("done/{i}", i=range(40))

rule step:
    output: touch("done/{i}")
    shell: "true"
"""

# counts passes of Snakemake's scheduler, the ready steps that it weighs in each, and timers; none waits at the end
COUNT = """
import json, sys, threading
from snakemake.scheduling import greedy
from gampl_book import build
passes, timers, select, start = [], [], greedy.Scheduler.select_jobs, threading.Timer.start

def counted(self, jobs, *others):
    passes.append(len(jobs))
    return select(self, jobs, *others)

greedy.Scheduler.select_jobs = counted
threading.Timer.start = lambda self: (timers.append(self), start(self))
code = build._run_snakemake(["all", "--nolock", "--cores", "2", *sys.argv[1:]])
print(json.dumps({"code": code, "passes": passes, "timers": len(timers)}))
"""


def counted(folder, *options):
    (folder / "Snakefile").write_text(SNAKEFILE)
    done = subprocess.run(
        [sys.executable, "-c", COUNT, *options], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_work_for_a_step_does_not_grow_with_their_number(tmp_path):
    """One pass for a step, in which a bounded number of others is weighed, and no timers that make more passes."""
    profile = ["--profile", str(ROOT / "workflow/profiles/default"), "--scheduler-subsample", "5"]
    seen = counted(tmp_path, *profile)
    assert seen["code"] == 0
    assert seen["timers"] == 0
    assert 20 <= len(seen["passes"]) <= 41
    assert max(seen["passes"]) == 5


def test_snakemakes_own_way_weighs_all_that_is_ready(tmp_path):
    """The test above would see it."""
    seen = counted(tmp_path, "--scheduler", "greedy")
    assert max(seen["passes"]) >= 40


@pytest.mark.parametrize("name", [cluster.LOCAL, *cluster.known()])
def test_profiles_bound_what_is_weighed(monkeypatch, tmp_path, name):
    """By a number that does not keep a cluster's queue from being filled at once; and no integer program is solved."""
    seen = []
    monkeypatch.setattr("snakemake.cli.args_to_api", lambda options, _: seen.append(options) or True)
    monkeypatch.chdir(tmp_path)
    path = ROOT / "workflow/profiles" / name / "config.yaml"
    text = yaml.safe_load(path.read_text())
    text.pop("htcondor-jobdir", None)  # the plugin is not installed
    text.pop("executor", None)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(text))
    assert build._run_snakemake(["all", "--cores", "1", "--profile", str(tmp_path)]) == 0
    (options,) = seen
    assert options.scheduler == "greedy"
    assert options.scheduler_greedy_omit_prioritize_by_temp_and_input
    assert text.get("jobs", 0) < options.scheduler_subsample <= 1000
    # with a limit, each pass that starts a step starts a timer, and each timer another pass
    assert options.max_jobs_per_timespan is None
