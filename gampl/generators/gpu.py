"""How a GPU is kept busy: functions compiled for all networks alike, attention in plain products, steps as one graph.

Networks of a few tokens launch hundreds of kernels that each take microseconds; launched from Python, one after the
other, they leave a GPU idle most of the time.
"""

import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

WARM_UP = 3  # calls before a graph is captured, in which libraries make their plans
Work = Callable[[Sequence[Tensor]], None]
KINDS = 64  # of networks and batches that one function is compiled for in a process


def plain_attention(x: Tensor) -> AbstractContextManager[None]:
    """A context in which attention on a GPU is two products and a softmax.

    Fused kernels are made for long sequences: six to ten tokens with heads of 13 numbers are slower with them, and
    `torch.func.vmap` of their gradients fails for some sizes.
    """
    return sdpa_kernel(SDPBackend.MATH) if x.is_cuda else nullcontext()


def running_sum(x: Tensor) -> Tensor:
    """Sums over the last axis up to each place; on a GPU as a product, which adds in the same order on each run."""
    if not x.is_cuda:
        return x.cumsum(-1)
    ones = torch.ones(x.shape[-1], x.shape[-1], dtype=torch.float64, device=x.device)
    return (x.double() @ ones.triu()).to(x.dtype)  # double, as products of single precision are in TF32


class _RunningSums(TorchFunctionMode):
    """Lets other libraries' `torch.cumsum` over the last axis be `running_sum`."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """See the class."""
        return running_sum(args[0]) if function is torch.cumsum else function(*args, **(kwargs or {}))


def sums_in_order(x: Tensor) -> AbstractContextManager[Any]:
    """A context for code with `torch.cumsum`, which has no deterministic algorithm on a GPU."""
    return _RunningSums() if x.is_cuda and torch.are_deterministic_algorithms_enabled() else nullcontext()


class Compiled:
    """A function of a module and tensors that inductor compiles on a GPU, once for all networks alike.

    The tensors have always the same shapes for modules of the same kind and size. Where inductor cannot, the function
    is called as it is, and a warning says so. It is not tried for a module whose `compiles` is false, nor where the
    same bits are wanted on each run.
    """

    def __init__(self, function: Callable[..., Tensor]) -> None:
        self.function, self.failed = function, set[tuple[type, ...]]()
        self._compiled: Callable[..., Tensor] | None = None

    def applies_to(self, module: nn.Module, x: Tensor) -> bool:
        """Whether the function is compiled for a module and tensors on the device of x."""
        wanted = x.is_cuda and getattr(module, "compiles", True) and not torch.are_deterministic_algorithms_enabled()
        return bool(wanted and _kinds(module) not in self.failed)

    def __call__(self, module: nn.Module, *tensors: Any) -> Tensor:
        """What the function returns."""
        if not self.applies_to(module, tensors[0]):
            return self.function(module, *tensors)
        if self._compiled is None:
            self._compiled = torch.compile(self.function, dynamic=False)
        try:
            with (
                torch._dynamo.config.patch(recompile_limit=KINDS),
                # else the gradient is compiled later, and its errors come from `backward`
                torch._functorch.config.patch(force_non_lazy_backward_lowering=True),
            ):
                return self._compiled(module, *tensors)
        except torch._dynamo.exc.TorchDynamoException as error:
            self.failed.add(_kinds(module))
            reason = (str(error).strip() or repr(error)).splitlines()[0]
            warnings.warn(f"inductor could not compile {self.function.__name__}: {reason}", stacklevel=2)
            return self.function(module, *tensors)


def _kinds(module: nn.Module) -> tuple[type, ...]:
    """What tells networks apart that inductor can compile from those that it cannot: the module's and its parts'."""
    return type(module), *(type(part) for part in module.children())


def warm_up(work: Work, inputs: Sequence[Tensor], state: Sequence[Tensor]) -> None:
    """Calls `work` a few times, in which libraries make their plans, and puts back the state that it changes."""
    before = [tensor.clone() for tensor in state]
    for _ in range(WARM_UP):
        work(inputs)
    with torch.no_grad():
        torch._foreach_copy_(list(state), before)


class Graph:
    """Work on inputs of always the same shapes as one CUDA graph: a single launch, whatever it consists of.

    The work may change its state in place, which must have all tensors that it changes, and never looks at a number.
    """

    def __init__(self, work: Work, inputs: Sequence[Tensor], state: Sequence[Tensor]) -> None:
        self.inputs, self.device = [tensor.clone() for tensor in inputs], state[0].device
        with torch.cuda.device(self.device):  # streams and graphs are of the current one
            stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                warm_up(work, self.inputs, state)
            torch.cuda.current_stream().wait_stream(stream)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph, stream=stream):  # the one that gradients were added up on
                work(self.inputs)

    def __call__(self, inputs: Sequence[Tensor]) -> None:
        """Does the work; returns before it is done."""
        with torch.cuda.device(self.device):
            torch._foreach_copy_(self.inputs, list(inputs))
            self.graph.replay()
