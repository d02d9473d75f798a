"""An analysis as one HTML page that needs no other file: its words are ``report.html.j2``, its looks ``report.css``."""

import base64
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gampl.basics import counted
from gampl.report import figures, outputs
from gampl.report.process import SampleFiles
from gampl.report.sharpening import sharpen
from gampl.report.study import Study

LARGEST_SVG = 150_000  # bytes; a figure with more lines than that is smaller as an image of points
FILES_SHOWN = 6


def html(study: Study, command: str = "") -> str:
    """The page as text, to be written as UTF-8; the command is what the study was made with, for the settings."""
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    environment.trim_blocks = environment.lstrip_blocks = True
    names = ("answer", "count", "interval", "percent", "short", "where", "whole")
    environment.filters |= {name: getattr(outputs, name) for name in names}
    environment.filters |= {
        "counted": counted,
        "advice": sharpen,
        "files": _files,
        "image": _image,
        "sentence": _sentence,
    }
    environment.filters["doubts"] = study.doubts
    environment.filters["interval_of_counts"] = lambda ends: outputs.interval(ends, outputs.count)
    environment.tests["finite"] = math.isfinite
    time = outputs.now().replace("T", " ").replace("+00:00", " UTC")
    template = environment.get_template("report.html.j2")
    return template.render(study=study, command=command, time=time, versions=outputs.versions())


def _image(shown: figures.Shown) -> dict[str, Any]:
    """A figure as a part of the page; sizes are in pixels of the screen."""
    figure = figures.figure_of(shown)
    content, kind = figures.content(figure, "svg"), "svg+xml"
    if len(content) > LARGEST_SVG:
        content, kind = figures.content(figure, "png"), "png"
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    source = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    return {"source": source, "width": width, "height": height}


def _files(files: SampleFiles | None, names: Iterable[str] = ()) -> str:
    """Names of files, or of what stands in their place; long lists are cut short."""
    names, how = [*names], []
    if files is not None:
        names = [str(path) for path in files.files]
        options = {"weights": files.weight, "member column": files.member, "sample": files.sample}
        how = [f"{name} {value}" for name, value in options.items() if value] + ["unweighted"] * files.unweight
        how += ["weights left out"] * files.ignore_weights
    if len(names) > FILES_SHOWN:
        names = [*names[: FILES_SHOWN - 2], f"… {names[-1]} ({len(names)} in all)"]
    return ", ".join(names) + (f" ({', '.join(how)})" if how else "")


def _sentence(text: str) -> str:
    first, _, _ = text.partition(" ")  # which may be the name of a file
    return (text[:1].upper() + text[1:] if first.isalpha() else text) + ("" if text.endswith((".", "?", "!")) else ".")
