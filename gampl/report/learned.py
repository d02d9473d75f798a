"""A classifier's likelihood ratio as a summary of an analysis."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from gampl.basics import Floats
from gampl.ratio import held_out
from gampl.report.members import Test
from gampl.report.process import Process
from gampl.report.samples import Batch, Numbers, Truth, Values

NAME = "classifier"


def learn(
    process: Process,
    truth: Truth,
    numbers: Numbers,
    streams: Callable[[Sequence[str]], Iterable[tuple[str, Iterable[Batch]]]],
) -> Test:
    """Train a classifier on half of the true events and as many generated ones, the first of each member.

    If members have few events, half of these are left for the test.

    Args:
        process: Names the observables that it takes.
        truth: True events; the other half is the reference of the test.
        numbers: Computes the observables of generated events, among other things.
        streams: Makes the members' batches, see `gampl.report.study.analyse_streams`.

    Raises:
        ValueError: If a column tells the members, events have weights, or there are too few.
        ModuleNotFoundError: If scikit-learn is not installed.
    """
    files, reference = process.members, truth.reference
    if files is not None and files.member is not None:
        raise ValueError("classifier: needs a file for each member, not a column that says which member an event is of")
    if files is not None and files.weight is not None:
        raise ValueError("classifier: learns from events of equal weight only, expected members without weights")
    if reference is None:
        raise ValueError("classifier: needs true events, expected a holdout or a training sample")
    expressions = [process.number(text) for text in process.classifier]

    def features(values: Values) -> Floats:
        return np.stack([values[e][0] for e in expressions], axis=-1)

    true = features(reference.values)
    true = true[np.isfinite(true).all(axis=1)]
    most = 2 * len(true) if process.n_gen is None else process.n_gen
    samples = [_first(stream, numbers, features, most) for _, stream in streams(numbers.needed)]
    each = min(-(-len(true) // len(samples)), min(map(len, samples)) // 2)
    generated = np.concatenate([events[:each] for events in samples])
    generated = generated[np.isfinite(generated).all(axis=1)]
    ratio = held_out(true, generated, process.seed)
    return Test(
        name=f"{NAME} of {', '.join(process.classifier)}",
        summary=lambda values: np.asarray(ratio(features(values)), dtype=np.float64),
        region=None,
        reference=np.asarray(ratio.reference),
        n_train=process.n_train,
        skipped=each,
    )


def _first(stream: Iterable[Batch], numbers: Numbers, features: Callable[[Values], Floats], n: int) -> Floats:
    """Features of the first n events of a stream, or of all if there are fewer."""
    parts: list[Floats] = []
    for batch in stream:
        parts.append(features(numbers(batch.columns))[: n - sum(map(len, parts))])
        if sum(map(len, parts)) >= n:
            break
    return np.concatenate(parts)
