"""Ctrl-C and the SIGTERM of a batch system: nothing is lost, and those who had other plans for a signal are heard."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
import torch
from safetensors import safe_open

from gampl.training.fit import fit
from gampl.training.settings import Fit
from gampl.training.stopping import DeferredSignals

# Trains a network, signals itself in the middle of a step, if told when, and writes the weights.
SIGNALLED = textwrap.dedent("""
    import os, signal, sys
    from pathlib import Path
    import torch
    from safetensors.torch import save_file
    from gampl.training.data import Data, untrained
    from gampl.training.fit import fit
    from gampl.training.members import Stack
    from gampl.training.settings import Fit, Ring, Training
    from gampl.generators.settings import Architecture

    checkpoint, result, name, steps, wanted = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], [], sys.argv[4]
    losses = Stack.losses

    def signalled(self, drawn):
        steps.append(drawn)
        if name != "none" and len(steps) == int(wanted):
            os.kill(os.getpid(), getattr(signal, name))
        return losses(self, drawn)

    Stack.losses = signalled
    settings = Fit(steps=40, batch_size=20, validate_every=10, checkpoint_seconds=1e6)
    training = Training(Ring(2), 200, Architecture("autoregressive", width=8), "deep", fit=settings)
    data = Data(torch.randn(200, 2, generator=torch.Generator().manual_seed(0)).numpy()).checked(training, "")
    stack = Stack([untrained(training, data, k) for k in range(2)])
    fit(stack, settings, checkpoint=checkpoint)
    save_file(stack.parameters, result)
""")


def signalled(*arguments):
    command = [sys.executable, "-c", SIGNALLED, *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GAMPL_DEVICE": "cpu"}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def through(tmp_path_factory):
    """The weights of the training that nobody has told to stop."""
    folder = tmp_path_factory.mktemp("through")
    assert signalled(folder / "checkpoint", folder / "weights", "none", "0").returncode == 0
    assert not (folder / "checkpoint").exists()
    return (folder / "weights").read_bytes()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_training_that_is_told_to_stop_goes_on_from_that_step(name, through, tmp_path):
    kept, resumed = tmp_path / "checkpoint", tmp_path / "resumed"
    stopped = signalled(kept, resumed, name, "17")
    if name == "SIGINT":
        assert "KeyboardInterrupt" in stopped.stderr
    else:
        assert stopped.returncode == -signal.SIGTERM, stopped.stderr
    with safe_open(kept, framework="pt") as file:
        assert file.metadata()["done"] == "17"
    assert not resumed.exists()
    assert signalled(kept, resumed, "none", "0").returncode == 0
    assert resumed.read_bytes() == through


@pytest.fixture
def handled():
    """Signals that reached the handlers from before."""
    seen = []
    before = {number: signal.signal(number, lambda n, _: seen.append(n)) for number in (signal.SIGINT, signal.SIGTERM)}
    yield seen
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_signal_waits_until_it_is_let_through(handled):
    with DeferredSignals() as signals:
        signals.let_through()
        signal.raise_signal(signal.SIGTERM)
        assert signals.waiting
        assert handled == []
        signals.let_through()
        assert handled == [signal.SIGTERM]
        assert not signals.waiting
        signal.raise_signal(signal.SIGINT)  # the handler has returned, so work goes on and signals wait again
        assert handled == [signal.SIGTERM]
    assert handled == [signal.SIGTERM, signal.SIGINT]


def test_several_sigterms_are_one(handled):
    """Slurm tells the processes of a job, and srun and others pass it on."""
    with DeferredSignals() as signals:
        for _ in range(3):
            signal.raise_signal(signal.SIGTERM)
        assert signals.waiting
        assert handled == []
    assert handled == [signal.SIGTERM]


def test_a_second_interrupt_does_not_wait(handled):
    with DeferredSignals() as signals:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert handled == [signal.SIGINT]
        assert not signals.waiting
    assert handled == [signal.SIGINT]


def test_handlers_are_given_back_also_after_an_error(handled):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(FloatingPointError), DeferredSignals():
        raise FloatingPointError
    assert signal.getsignal(signal.SIGTERM) is before
    assert handled == []


def test_what_was_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with DeferredSignals() as signals:
            signal.raise_signal(signal.SIGINT)
            assert not signals.waiting
    finally:
        signal.signal(signal.SIGINT, before)


def test_outside_the_main_thread_nothing_is_installed():
    before, seen = signal.getsignal(signal.SIGTERM), []

    def work():
        with DeferredSignals() as signals:
            signals.let_through()
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


class Slow:
    """A training of many short steps."""

    members, streams = 1, ()

    def __init__(self):
        self.parameters, self.learning_rates = {"p": torch.zeros(1, requires_grad=True)}, {}

    def draw(self):
        return (torch.zeros(1),)

    def losses(self, _):
        time.sleep(0.01)
        return self.parameters["p"].square()

    def validation_losses(self, _):
        return None


def test_without_a_checkpoint_a_training_is_interrupted_too():
    slow, losses = Slow(), []

    def interrupted(drawn):
        losses.append(Slow.losses(slow, drawn))
        if len(losses) == 3:
            signal.raise_signal(signal.SIGINT)
        return losses[-1]

    slow.losses = interrupted
    with pytest.raises(KeyboardInterrupt):
        fit(slow, Fit(steps=10_000))
    assert len(losses) == 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def answer(client, request):
    """The content of the reply to a request; a kernel that starts slowly has replies to earlier ones, too."""
    while (message := client.get_shell_msg(timeout=60))["parent_header"]["msg_id"] != request:
        pass
    return message["content"]


@pytest.mark.slow
def test_a_notebook_can_be_interrupted(tmp_path):
    manager = pytest.importorskip("jupyter_client").KernelManager()
    manager.start_kernel(env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)})
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=60)
        begun, checkpoint = tmp_path / "begun", tmp_path / "checkpoint"
        script = f"""
            from pathlib import Path
            from test_stopping import *

            class Seen(Slow):
                def losses(self, drawn):
                    Path({str(begun)!r}).touch()
                    return super().losses(drawn)

            fit(Seen(), Fit(steps=100_000), checkpoint=Path({str(checkpoint)!r}))
        """
        # without stop_on_error: else the kernel refuses for a moment whatever comes right after an error
        request = client.execute(textwrap.dedent(script), stop_on_error=False)
        while not begun.exists():
            time.sleep(0.05)
        manager.interrupt_kernel()
        assert answer(client, request)["ename"] == "KeyboardInterrupt"
        assert checkpoint.exists()
        assert answer(client, client.execute("1 + 1"))["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
