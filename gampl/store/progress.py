"""Progress of long work: a bar on a terminal, else a line now and then."""

import os
import sys
import time
from collections import defaultdict
from contextlib import AbstractContextManager, suppress
from typing import Any

SECONDS_BETWEEN_LINES = 20.0


class Progress(AbstractContextManager["Progress"]):
    """Tells on standard error how much is done; use it as a context and call it.

    It tells nothing if it is to be quiet or the environment variable TQDM_DISABLE is set. The unit is what is counted,
    in the plural; of the total, if it is known, ``start`` were done before.
    """

    def __init__(self, unit: str, *, total: int | None = None, start: int = 0, quiet: bool = False) -> None:
        self._unit, self._total = unit, total
        self._quiet = quiet or os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
        self._done: dict[str, int] = defaultdict(lambda: start)
        self._steps = 0
        self._begun = self._last_line = time.monotonic()
        self._bar: Any = None
        if not self._quiet and sys.stderr.isatty():
            with suppress(ModuleNotFoundError):  # tqdm comes with the extras; without it there are lines
                from tqdm import tqdm

                self._bar = tqdm(total=total, initial=start, unit=f" {unit}", unit_scale=True, leave=False)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, name: str, done: int) -> None:
        """Tells that so many of something are done, such as the events of one sample."""
        step = done - self._done[name]
        self._done[name] = done
        self._steps += step
        now = time.monotonic()
        if self._bar is not None:
            self._bar.set_description(name, refresh=False)
            self._bar.update(step)
        elif not self._quiet and now - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = now
            of_all = "" if self._total is None else f" of {self._total}"
            rate = self._steps / max(now - self._begun, 1e-9)
            print(f"{name}: {done}{of_all} {self._unit}, {rate:.3g} a second", file=sys.stderr, flush=True)  # noqa: T201
