"""Autoregressive transformers: that of the paper's toys, and what it has in common with that of jets."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention

from gampl.generators.gpu import plain_attention
from gampl.generators.mixture import Mixture
from gampl.generators.settings import Architecture
from gampl.generators.transformer_block import Block, normalised

FEW_TOKENS = 8  # up to which attention is written out


class CausalTransformer(nn.Module):
    """Predicts numbers from each token of a sequence and from those before it.

    Every parameter sits in a plain `nn.Linear` (the positions are columns of `embed`), because zuko's local
    reparameterization sees no others.
    """

    dtype = torch.float32

    def __init__(self, inputs: int, outputs: int, size: Architecture) -> None:
        super().__init__()
        self.heads = size.heads
        with torch.device("meta"):  # nn.Linear would initialise itself from the global random stream
            self.embed = nn.Linear(inputs, size.width, bias=False)
            self.blocks = nn.ModuleList(Block(size.width) for _ in range(size.blocks))
            self.head = nn.Linear(size.width, outputs)
        self.to_empty(device="cpu")

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Draws weights of variance 1 / inputs, so that the outputs are nearly the same for all."""
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.normal_(0.0, layer.in_features**-0.5, generator=generator)
                if layer.bias is not None:
                    layer.bias.zero_()
        self.embed.weight.normal_(0.0, 0.5, generator=generator)
        self.head.weight.mul_(0.5)

    def predict(self, inputs: Tensor, past: list[Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
        """The outputs for each token: (..., T, inputs) -> (..., T, outputs).

        `past` is what the call for the tokens before has returned with their outputs: keys and values in each block,
        (..., S, 2 width).
        """
        h = self.embed(inputs)  # (..., T, width)
        seen: list[Tensor] = []

        def attention(of_tokens: Tensor) -> Tensor:
            query, new = of_tokens.tensor_split((h.shape[-1],), dim=-1)  # (..., T, width), (..., T, 2 width)
            if past:  # the start token's batch of one is spread over the new batch
                before = past[len(seen)]
                new = torch.cat([before.expand(*new.shape[:-2], *before.shape[-2:]), new], dim=-2)
            seen.append(new)
            key, value = new.chunk(2, dim=-1)
            return _attention(query, key, value, self.heads)

        for block in self.blocks:
            h = block(h, attention)
        return self.head(normalised(h)), seen


class AutoregressiveTransformer(CausalTransformer):
    """Density p(x_1) p(x_2|x_1) ... of Gaussian mixtures whose parameters a transformer predicts, Eqs. (6)-(8).

    An event has d features and is told c conditions, further inputs of each token. For events with any number of
    particles see `gampl.generators.jets`.
    """

    numbers = ("uniform", "normal")  # that an event is made of, d of each

    def __init__(self, features: int, size: Architecture, *, conditions: int = 0, generator: torch.Generator) -> None:
        super().__init__(1 + features + conditions, Mixture.numbers(size.components), size)
        self.features = features
        self.initialise(generator)
        Mixture.initialise(self.head.bias, generator)

    def log_prob(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Exact log density, Eq. (8): (..., d), (..., c) -> (...)."""
        tokens = pad(x[..., :-1], (1, 0))  # (..., d): each token predicts the next, the first is x_0 = 0
        mixtures, _ = self._predict(tokens, condition, first=0)
        return mixtures.log_prob(x).sum(-1)

    @torch.no_grad()
    def transform(self, uniform: Tensor, normal: Tensor, condition: Tensor | None = None) -> Tensor:
        """Turns d uniform and d standard normal numbers per event into events: (n, d), (n, d), (n, c) -> (n, d)."""
        x, last = self.conditional(uniform[:, :-1], normal[:, :-1], condition)
        return torch.cat([x, last.pick(uniform[:, -1], normal[:, -1]).unsqueeze(-1)], -1)

    @torch.no_grad()
    def conditional(self, uniform: Tensor, normal: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Mixture]:
        """Draws the first k < d coordinates and predicts the next: (n, k), (n, k), (n, c) -> (n, k), mixture (n, K).

        For k = 0 and no conditions the mixture is (1, K): nothing that differs has happened yet.
        """
        x, past = uniform[:, :0], None
        # without conditions the start token is the same for all events: a batch of one
        token = uniform.new_zeros(1 if condition is None else len(condition), 1)
        for k in range(uniform.shape[1] + 1):
            mixtures, past = self._predict(token, condition, first=k, past=past)
            mixture = Mixture(*(part.squeeze(-2) for part in mixtures))
            if k < uniform.shape[1]:
                token = mixture.pick(uniform[:, k], normal[:, k]).unsqueeze(-1)  # (n, 1)
                x = torch.cat([x, token], -1)
        return x, mixture

    def _predict(
        self, tokens: Tensor, condition: Tensor | None = None, *, first: int, past: list[Tensor] | None = None
    ) -> tuple[Mixture, list[Tensor]]:
        """Predicts the coordinate after each token: (..., T), (..., c) -> mixtures (..., T, K).

        The tokens are coordinates number first, first + 1, ... of the events. For `past` see `predict`.
        """
        count = tokens.shape[-1]
        places = torch.eye(self.features, dtype=tokens.dtype, device=tokens.device)[first : first + count]
        inputs = [tokens.unsqueeze(-1), places.expand(*tokens.shape, self.features)]  # (..., T, 1), (..., T, d)
        if condition is not None:
            inputs.append(condition.unsqueeze(-2).expand(*tokens.shape, condition.shape[-1]))
        raw, seen = self.predict(torch.cat(inputs, -1), past)
        return Mixture.from_raw(raw), seen


def _attention(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """Causal attention of the last T of S tokens: (..., T, width), (..., S, width) twice -> (..., T, width).

    Written out, because for a handful of tokens this is faster on a CPU than scaled_dot_product_attention (in
    training by a quarter in two dimensions), whose fast kernel moreover has no rule for torch.func.vmap.
    """
    tokens, seen, width = query.shape[-2], key.shape[-2], query.shape[-1]
    if FEW_TOKENS < tokens == seen:
        q, k, v = (part.reshape(*part.shape[:-1], heads, -1).transpose(-2, -3) for part in (query, key, value))
        with plain_attention(q):
            return scaled_dot_product_attention(q, k, v, is_causal=True).transpose(-2, -3).flatten(-2)
    # a 0/1 matrix that adds up the numbers of each head, (width, H): quicker than a sum over rows of four
    of_head = torch.eye(heads, dtype=query.dtype, device=query.device).repeat_interleave(width // heads, 0)
    products = query.unsqueeze(-2) * key.unsqueeze(-3)  # (..., T, S, width)
    scores = products @ (of_head * math.sqrt(heads / width))  # (..., T, S, H)
    if tokens > 1:
        causal = torch.ones(tokens, seen, dtype=torch.bool, device=query.device).tril(seen - tokens)
        scores = scores.masked_fill(~causal.unsqueeze(-1), -math.inf)
    weights = scores.softmax(-2) @ of_head.T  # (..., T, S, width)
    return (weights * value.unsqueeze(-3)).sum(-2)
