"""Stopping between two steps: Ctrl-C, and the SIGTERM of a batch system whose time is over."""

import signal
import threading
from types import FrameType
from typing import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class DeferredSignals:
    """Within its context SIGINT and SIGTERM wait until they are let through; a second Ctrl-C does not.

    A second SIGTERM changes nothing: batch systems send several, to all processes of a job and through those that pass
    signals on, and what they send if a job does not end is SIGKILL.

    What they do then is up to the handlers from before: Ctrl-C raises KeyboardInterrupt, SIGTERM ends the process
    unless somebody has other plans. A signal that still waits at the end of the context is let through there. Signals
    that were ignored stay ignored, and outside the main thread, which alone receives signals, nothing is done.
    """

    def __init__(self) -> None:
        self._waiting: int | None = None
        self._before: dict[int, object] = {}

    @property
    def waiting(self) -> bool:
        """Whether a signal has come."""
        return self._waiting is not None

    def let_through(self) -> None:
        """Hands a signal that waits to the handler from before; if that returns, signals wait again."""
        if self._waiting is not None:
            number, self._waiting = self._waiting, None
            self._restore()
            signal.raise_signal(number)
            self._install()

    def __enter__(self) -> Self:
        self._install()
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()
        if self._waiting is not None:
            signal.raise_signal(self._waiting)

    def _install(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):  # None: not Python's to give back
                    self._before[number] = signal.signal(number, self._note)

    def _restore(self) -> None:
        while self._before:
            signal.signal(*self._before.popitem())  # type: ignore[arg-type]

    def _note(self, number: int, _: FrameType | None) -> None:
        if self._waiting is None:
            self._waiting = number
        elif number == signal.SIGINT:
            self._waiting = None
            self._restore()
            signal.raise_signal(number)
