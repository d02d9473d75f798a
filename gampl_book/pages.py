"""What every notebook of the book does alike: profile badge, recorded numbers, figures with provenance and data."""

import csv
import html
import io
import json
import math
import os
import platform
import re
import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from IPython.display import HTML, Markdown, display
from matplotlib.figure import Figure

from gampl import plots
from gampl.store.atomic import write_bytes
from gampl_book import ROOT, commit
from gampl_book.profiles import section

PURPOSE = {
    "smoke": "smallest sizes, for tests only: the numbers mean nothing",
    "laptop": "sized for minutes on two cores",
    "rings": "as laptop, with Bayesian networks of the paper's size on twenty training sets of the rings",
    "gpu": "as laptop, with the paper's networks for LHC events, trained in about one hour of a GPU",
    "paper": "the paper's n_train, members and n_gen",
}


class Page:
    """One run of one notebook, in one of `gampl_book.profiles.PROFILES`; the seed is that of everything random on it.

    Numbers and figure data go to the folder named by the environment variable GAMPL_OUTPUT, which `make book` sets, or
    to ``_build/<profile>/interactive/<notebook>``. Creating a page selects the figure style and shows the profile.
    """

    def __init__(self, notebook: str, profile: str, seed: int) -> None:
        self.settings = section(profile, notebook)
        self.notebook, self.profile, self.seed = notebook, profile, seed
        self.folder = Path(os.environ.get("GAMPL_OUTPUT") or ROOT / "_build" / profile / "interactive" / notebook)
        self._numbers: dict[str, Any] = {}
        self._costs: dict[str, Any] = {}
        self._made_of: dict[str, Any] = {"settings": self.settings}
        self._start = time.monotonic()
        self._trained_seconds, self._trained_on = 0.0, set[str]()
        self._source = {"notebook": notebook, "commit": commit(), "profile": profile, "seed": seed}
        self._source |= {"device": f"{processor()}, {os.cpu_count()} cores", "python": platform.python_version()}
        plots.use_style()
        _show_html("profile-badge", f"profile <b>{profile}</b>: {PURPOSE[profile]} · seed {seed}")

    def rng(self, stream: int) -> np.random.Generator:
        """A random stream of this page, independent of its others and of those of other pages."""
        return np.random.default_rng([self.seed, stream, zlib.crc32(self.notebook.encode())])

    def count_training(self, seconds: float, device: str) -> None:
        """Add the time that a network took to train, perhaps in an earlier run, to the figures' run time."""
        self._trained_seconds += seconds
        self._trained_on.add(device)

    def made_of(self, **facts: Any) -> None:
        """Keep with the recorded numbers what they were made of: settings of trainings, checksums of data."""
        self._made_of |= _plain(facts)

    def record(
        self,
        name: str,
        value: float,
        interval: Sequence[float] | None = None,
        level: float | None = None,
        digits: int = 3,
    ) -> None:
        """Keep a number for the claims ledger, and glue it (``name``, ``name_low``, ``name_high``) for the prose."""
        from myst_nb import glue

        entry: dict[str, Any] = {"value": _plain(float(value))}
        words = str(value) if isinstance(value, int) else rounded(value, digits)
        glue(f"{self.notebook}_{name}", words, display=False)
        if interval is not None:
            entry |= {"interval": [_plain(float(end)) for end in interval], "level": level}
            for end, x in zip(("low", "high"), interval, strict=True):
                glue(f"{self.notebook}_{name}_{end}", rounded(x, digits), display=False)
        self._numbers[name] = entry
        self._write()

    def cost(self, name: str, parameters: int, training: float, generation: float) -> None:
        """Keep what a network costs: parameters, seconds of one training, CPU seconds of 10 000 generated events.

        Costs stand beside the recorded numbers, not among them: they are compared with nothing, since times vary.
        """
        seconds = {"training": float(f"{training:.3g}"), "generation": float(f"{generation:.3g}")}
        self._costs[name] = {"parameters": parameters, **seconds}
        self._write()

    def _write(self) -> None:
        write_bytes(self.folder / "results.json", json.dumps(self.recorded, indent=1, allow_nan=False).encode())

    @property
    def recorded(self) -> dict[str, Any]:
        """All that ``results.json`` holds: the numbers so far, and what they come from."""
        costs = {"costs": self._costs} if self._costs else {}
        return self._provenance() | {"made_of": self._made_of, **costs, "numbers": self._numbers}

    def figure(self, figure: Figure, name: str, data: Mapping[str, Any]) -> None:
        """Show a figure and close it, with provenance and its data for download: CSV of equal columns, or else JSON."""
        from matplotlib import pyplot as plt

        about = self._provenance()
        columns = {key: np.asarray(values) for key, values in data.items()}
        if {column.ndim for column in columns.values()} == {1} and len(set(map(len, columns.values()))) == 1:
            kind, text = "csv", _csv(columns, about)
        else:
            kind, text = "json", json.dumps(about | {"data": _plain(data)}, allow_nan=False)
        write_bytes(self.folder / "figures" / f"{name}.{kind}", text.encode())
        display(figure)  # type: ignore[no-untyped-call]
        plt.close(figure)
        words = [f"{key} {about[key]}" for key in ("notebook", "commit", "profile", "seed")]
        words += [f"{about['page_seconds']:.0f} s here", about["device"]]
        if self._trained_on:
            words.append(f"{about['training_seconds']:.0f} s of training on {about['trained_on']}")
        link = f'<a href="figures/{self.notebook}/{name}.{kind}" download>data ({kind})</a>'
        _show_html("provenance", " · ".join([*map(html.escape, words), link]))

    def _provenance(self) -> dict[str, Any]:
        seconds = {"page_seconds": time.monotonic() - self._start, "training_seconds": self._trained_seconds}
        effort = {name: round(number, 1) for name, number in seconds.items()}
        return self._source | effort | {"trained_on": ", ".join(sorted(self._trained_on))}


def _show_html(kind: str, content: str) -> None:
    display(HTML(f'<p class="{kind}">{content}</p>'))  # type: ignore[no-untyped-call]


def rounded(value: float, digits: int = 3) -> str:
    """A number in words for the prose: ``digits`` significant digits, or an infinity sign."""
    value = float(value)
    if value == 0 or not math.isfinite(value):
        return f"{value:g}".replace("inf", "∞")
    mantissa, _, exponent = f"{value:#.{digits}g}".partition("e")
    if not exponent:
        return mantissa.rstrip(".")
    power = int(exponent)
    if abs(power) > 5:
        return f"{mantissa.rstrip('.')}·10^{power}"
    return f"{float(f'{mantissa}e{exponent}'):.{max(digits - 1 - power, 0)}f}"


def with_interval(value: float, interval: Sequence[float], digits: int = 2) -> str:
    """A number and the ends of its interval, such as "1.2 (0.9 to 1.5)"."""
    low, high = interval
    return f"{rounded(value, digits)} ({rounded(low, digits)} to {rounded(high, digits)})"


def verbatim(text: str, language: str = "") -> str:
    """Markdown that shows a text as it is: no line of the text ends the block."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def as_text(text: str) -> str:
    """Markdown of words that somebody else wrote: nothing in them is markup, a role or HTML."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> Any:
    """A table for display in a notebook."""
    lines = ["| " + " | ".join(map(str, line)) + " |" for line in (header, ["---"] * len(header), *rows)]
    return Markdown("\n".join(lines))  # type: ignore[no-untyped-call]


def _plain(value: Any) -> Any:
    """Numbers and containers as strict JSON takes them; ``float()`` reads "inf" and "nan" back."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _csv(columns: Mapping[str, np.ndarray], provenance: Mapping[str, Any]) -> str:
    text = io.StringIO()
    text.writelines(f"# {key}: {value}\n" for key, value in provenance.items())
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))
    return text.getvalue()


def processor() -> str:
    """The processor's name, or where the system does not tell, its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()
