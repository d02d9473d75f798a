"""What `make book` prints while it works; that it names failures is tested in test_workflow.py."""

import logging
import re
from types import SimpleNamespace

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from gampl_book import build_report


@pytest.mark.parametrize(
    ("log", "status"),
    [
        ("", r"notebook averaging \(0 s\)"),
        ("averaging: cell 6/15\naveraging: cell 7/15\n", "averaging: cell 7/15"),
        ("averaging: 10 %\raveraging: 20 %", "averaging: 20 %"),
        ("\x1b[31maveraging: cell 7/15\x1b[0m\n\n", "averaging: cell 7/15"),
        ("averaging: cell 7/15\nsome warning: that a library prints\n", r"notebook averaging \(0 s\)"),
    ],
)
def test_status_is_the_last_line_of_the_log(tmp_path, log, status):
    path = tmp_path / "step.log"
    path.write_text(log)
    step = build_report.Step("notebook averaging", [str(path), str(tmp_path / "not there yet")])
    assert re.fullmatch(status, step.status())


@pytest.fixture
def report(monkeypatch):
    monkeypatch.setattr(build_report, "STATUS_SECONDS", 0.0)
    handler = build_report.LogHandler(SimpleNamespace(), None)
    yield handler
    handler.close()


def event(level=logging.INFO, message="", **fields):
    record = logging.LogRecord("snakemake", level, "", 0, message, None, None)
    record.__dict__.update(fields)
    return record


def test_a_line_for_each_step_and_one_for_what_runs(report, capsys):
    report.emit(event(event=LogEvent.RUN_INFO, stats={"notebook": 2, "all": 1, "total": 3}))
    for job in (1, 2):
        fields = {"jobid": job, "rule_msg": f"notebook {job}", "rule_name": "notebook", "log": []}
        report.emit(event(event=LogEvent.JOB_INFO, **fields))
    report.closing.wait(1.5)
    report.emit(event(event=LogEvent.JOB_FINISHED, job_id=2))
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "2 steps to do"
    assert said[1].startswith("  now: notebook 1 (")
    assert "; notebook 2 (" in said[1]
    assert said[-1].startswith("1 of 2 steps: notebook 2 (")


@pytest.mark.parametrize(
    ("level", "message", "said"),
    [
        (logging.INFO, "Building DAG of jobs...", ""),
        (logging.WARNING, "odd", "(Snakemake: odd)\n"),
        (logging.ERROR, "MissingInputException: x", "MissingInputException: x\n"),
        (logging.ERROR, "Exiting because a job execution failed. See below", ""),
    ],
)
def test_what_snakemake_itself_complains_of(report, capsys, level, message, said):
    report.emit(event(level, message))
    assert capsys.readouterr().err == said
