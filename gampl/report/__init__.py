"""From samples that somebody has to words, figures, a page, JSON and CSV."""

from gampl.report.process import Definition, Process, Region, SampleFiles
from gampl.report.study import Estimate, Failure, Finding, Study, analyse, analyse_streams

__all__ = [
    "Definition",
    "Estimate",
    "Failure",
    "Finding",
    "Process",
    "Region",
    "SampleFiles",
    "Study",
    "analyse",
    "analyse_streams",
]
