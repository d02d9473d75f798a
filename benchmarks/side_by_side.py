"""Two ways to do the same, timed in turns so that a busy machine is unfair to neither."""

import statistics
import time
from collections.abc import Callable
from typing import Any


def seconds(*ways: Callable[[], Any], rounds: int = 7) -> list[float]:
    """Median seconds of each way, after one round that does not count."""
    times: list[list[float]] = [[] for _ in ways]
    for repeat in range(rounds + 1):
        for way, taken in zip(ways, times, strict=True):
            start = time.perf_counter()
            way()
            if repeat:
                taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in times]


def report(benchmark: Any, what: str, ratio: float, **numbers: float) -> None:
    """Prints a ratio and keeps it with the benchmark's own numbers."""
    benchmark.extra_info.update({what: round(ratio, 2)} | {name: round(x, 6) for name, x in numbers.items()})
    print(f"\n{benchmark.name}: {what} {ratio:.1f}x  {numbers}")  # noqa: T201
