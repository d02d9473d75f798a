"""Out of memory: less is worked on at once, and the outcome stays the same up to round-off."""

import gc
import sys
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

Made = TypeVar("Made")

# CUDA and cuBLAS also have errors of their own for it, and so has a CPU; none of them is an OutOfMemoryError
_SAYINGS = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "DefaultCPUAllocator: can't allocate memory")


class Divider:
    """How many events are worked on at once: all, until the memory does not suffice, and from then on half as many.

    What is random must be drawn before, so that it does not depend on the division. Messages call the work `label`.
    """

    def __init__(self, label: str) -> None:
        self.label = label
        self.limit: int | None = None

    def attempt(self, n: int, work: Callable[[int], Made]) -> Made:
        """Returns work(size), which does all of n events, `size` at a time.

        Where the memory does not suffice, the size is halved, which stderr tells, and the work begun again.

        Raises:
            torch.OutOfMemoryError: If there is not memory enough for a single one; says what may help.
        """
        while True:
            size = n if self.limit is None else min(n, self.limit)
            try:
                return work(size)
            except RuntimeError as error:
                capturing = torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()
                if capturing or not _out_of_memory(error):  # a graph is begun again by who captures it
                    raise
                if size <= 1:
                    raise torch.OutOfMemoryError(
                        f"{self.label}: out of memory, and this work cannot be divided further; a device that no other "
                        "process uses may help, a smaller network or batch, fewer members, or the CPU (GAMPL_DEVICE="
                        f"cpu): {error}"
                    ) from error
            # Only here has the error gone, and with it the tensors that its traceback holds on to. What nobody holds
            # any more is given back: pieces of the old size would be in the way of the new ones.
            self.limit = (size + 1) // 2
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            halved = f"number of events at once halved from {size} to {self.limit}"
            print(f"{self.label}: out of memory, {halved}", file=sys.stderr, flush=True)  # noqa: T201

    def map(self, function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        """What a function makes of tensors, (n, ...) each, as if it had been called with all n events at once."""

        def work(size: int) -> Tensor:
            parts = [function(*part) for part in split(tensors, size)]
            return torch.cat(parts) if len(parts) > 1 else parts[0]

        return self.attempt(len(tensors[0]), work)


def split(tensors: tuple[Tensor, ...], size: int) -> list[tuple[Tensor, ...]]:
    """Tensors of (n, ...) in parts of at most `size` events."""
    return list(zip(*(torch.split(tensor, size) for tensor in tensors), strict=True))


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or any(saying in str(error) for saying in _SAYINGS)
