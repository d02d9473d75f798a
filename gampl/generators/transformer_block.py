"""What the transformers have in common."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm


class Block(nn.Module):
    """Transformer block: attention, then a two-layer perceptron, each added to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        # No bias: softmax does not see a key's, and `mix` has one that can do what the value's would.
        self.attend = nn.Linear(width, 3 * width, bias=False)
        self.mix = nn.Linear(width, width)
        self.expand = nn.Linear(width, 2 * width)
        self.contract = nn.Linear(2 * width, width)

    def forward(self, h: Tensor, attention: Callable[[Tensor], Tensor]) -> Tensor:
        """The new h, (..., T, width) both; attention is of queries, keys and values in a row: (..., T, 3 width)."""
        h = h + self.mix(attention(self.attend(normalised(h))))
        return h + self.contract(gelu(self.expand(normalised(h))))


def normalised(h: Tensor) -> Tensor:
    """Numbers of mean 0 and variance 1 in each token: (..., width) -> (..., width)."""
    return layer_norm(h, h.shape[-1:])
