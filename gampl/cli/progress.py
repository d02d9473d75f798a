"""Progress on long streams: a bar on a terminal, else a line now and then."""

import sys
import time
from types import TracebackType
from typing import Any, Self

SECONDS_BETWEEN_LINES = 20.0


class Progress:
    """Tells how many events of which sample have been read; use it as a context and call it.

    Args:
        quiet: Whether to tell nothing.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._done: dict[str, int] = {}
        self._total = 0
        self._begun = self._last_line = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            try:
                from tqdm import tqdm
            except ModuleNotFoundError:  # it comes with the extras; without it there are lines
                return self
            self._bar = tqdm(unit=" events", unit_scale=True, leave=False, file=sys.stderr)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, name: str, done: int) -> None:
        """Tell that so many events of a sample have been read."""
        step = done - self._done.get(name, 0)
        self._done[name] = done
        self._total += step
        if self._quiet:
            return
        if self._bar is not None:
            self._bar.set_description(name, refresh=False)
            self._bar.update(step)
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            rate = self._total / (self._last_line - self._begun)
            print(f"{name}: {done} events, {rate:.3g} a second", file=sys.stderr, flush=True)
