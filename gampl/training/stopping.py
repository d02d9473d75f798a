"""Stopping between two steps: Ctrl-C, and the SIGTERM of a batch system whose time is over."""

import signal
import threading
from types import FrameType
from typing import Self


class DeferredSignals:
    """Within its context SIGINT and SIGTERM wait until they are let through; a second Ctrl-C does not.

    A second SIGTERM changes nothing: batch systems send several, to all processes of a job and through those that pass
    signals on, and what they send if a job does not end is SIGKILL.

    What they do then is up to the handlers from before: Ctrl-C raises KeyboardInterrupt, SIGTERM ends the process
    unless somebody has other plans. A signal that still waits at the end of the context is let through there. Signals
    that were ignored stay ignored, and outside the main thread, which alone receives signals, nothing is done.
    """

    def __init__(self) -> None:
        self.waiting: int | None = None  #: the signal that has come, if any
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) not in (signal.SIG_IGN, None):  # None: not Python's to give back
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        while self._before:
            signal.signal(*self._before.popitem())  # type: ignore[arg-type]
        if self.waiting is not None:
            number, self.waiting = self.waiting, None
            signal.raise_signal(number)

    def let_through(self) -> None:
        """Hands a signal that waits to the handler from before; if that returns, signals wait again."""
        if self.waiting is not None:
            self.__exit__()
            self.__enter__()

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.waiting is None:
            self.waiting = number
        elif number == signal.SIGINT:
            self.waiting = number
            self.__exit__()
