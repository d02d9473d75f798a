"""Independent random streams that depend on nothing but a seed and a name."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def torch_generator(seed: int, *path: int | str, device: torch.device | None = None) -> torch.Generator:
    """Returns the random stream that belongs to `path` under `seed`.

    Streams of different paths are independent, so that member 7 draws the same numbers whether it is
    trained alone or next to others: `torch_generator(seed, "batches", 7)`. A GPU draws other numbers than a CPU.
    """
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in path]
    state = np.random.SeedSequence([seed, *words]).generate_state(1, np.uint64)
    return torch.Generator(device or "cpu").manual_seed(int(state[0]))


@contextmanager
def global_stream(stream: torch.Generator) -> Iterator[None]:
    """Lets what draws from the CPU's global random stream draw from this one; torch's and other libraries' layers do.

    Not `torch.manual_seed`, which would also reset the streams of GPUs.
    """
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(stream.get_state())
        yield
