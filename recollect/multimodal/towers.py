"""Frozen transformers, one per modality: samples to tokens, tokens through single layers, tokens to one vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from recollect.engine.lean_import import import_timm
from recollect.errors import RecollectError


class Tower:
    """A transformer in evaluation mode whose weights never change; the base class, for timm's VisionTransformer.

    No module on purpose: its weights belong neither to what a method trains nor to its saved state, and a copy of
    a model (a teacher) shares them.

    Args:
        network: the transformer, without head.
        name, sha256: which weights; the hash is empty for random ones.
        shape: of one sample, (C, H, W).

    Attributes:
        dim, depth: width of tokens, number of layers.
    """

    def __init__(self, network: Any, name: str, sha256: str, shape: Sequence[int]) -> None:
        self.network = network.eval().requires_grad_(False)
        self.name, self.sha256, self.shape = name, sha256, tuple(shape)
        self.dim, self.depth = self._size()

    def __deepcopy__(self, memo: dict[int, Any]) -> Tower:
        return self

    def _size(self) -> tuple[int, int]:
        return int(self.network.num_features), len(self.network.blocks)

    def embed(self, x: Tensor) -> Tensor:
        """Tokens (N, T, dim) before the first layer, of samples (N, ...) with the numbers of :attr:`shape`."""
        vit, x = self.network, x.reshape(-1, *self.shape[-3:])
        return vit.norm_pre(vit.patch_drop(vit._pos_embed(vit.patch_embed(x))))

    def layer(self, number: int, tokens: Tensor) -> Tensor:
        """Tokens after one layer."""
        return self.network.blocks[number](tokens)

    def pool(self, tokens: Tensor) -> Tensor:
        """(N, dim): the class token where there is one, else the mean of the tokens."""
        return tokens[:, 0] if self.network.has_class_token else tokens.mean(dim=1)


class FramesTower(Tower):
    """A ViT for video (N, F, C, H, W): layers see one frame at a time, adapters the tokens of all frames."""

    def embed(self, x: Tensor) -> Tensor:
        """Tokens of all frames, one frame after another, (N, F T, dim)."""
        return super().embed(x.flatten(0, 1)).unflatten(0, (len(x), x.shape[1])).flatten(1, 2)

    def layer(self, number: int, tokens: Tensor) -> Tensor:
        """Tokens after one layer, which runs within frames."""
        frames = self.shape[0]
        single = tokens.unflatten(1, (frames, -1)).flatten(0, 1)
        return super().layer(number, single).unflatten(0, (-1, frames)).flatten(1, 2)

    def pool(self, tokens: Tensor) -> Tensor:
        """Mean over frames of what a single frame gives."""
        frames = self.shape[0]
        single = tokens.unflatten(1, (frames, -1)).flatten(0, 1)
        return super().pool(single).unflatten(0, (-1, frames)).mean(dim=1)


class SpectrogramTower(Tower):
    """The Audio Spectrogram Transformer of the transformers library; samples (frames, mel bands)."""

    def _size(self) -> tuple[int, int]:
        return int(self.network.config.hidden_size), len(self.network.layers)

    def embed(self, x: Tensor) -> Tensor:
        """Tokens of the patches, behind class and distillation token."""
        return self.network.embeddings(x)

    def layer(self, number: int, tokens: Tensor) -> Tensor:
        """Tokens after one layer."""
        found = self.network.layers[number](tokens)
        return found[0] if isinstance(found, tuple) else found

    def pool(self, tokens: Tensor) -> Tensor:
        """Mean of class and distillation token, as the library pools."""
        return (tokens[:, 0] + tokens[:, 1]) / 2


class BytesTower(Tower):
    """The encoder of a T5 model over UTF-8 bytes (ByT5) from transformers; samples are bytes (T,), 0 pads.

    Attention runs over all places, padding included: layers see tokens only, not which of them are padding.
    """

    SPECIAL = 3
    """Numbers before that of byte 0."""

    def _size(self) -> tuple[int, int]:
        return int(self.network.config.d_model), len(self.network.block)

    def embed(self, x: Tensor) -> Tensor:
        """Tokens of bytes that come as fractions of 255."""
        values = (x * 255).round().long()
        return self.network.embed_tokens(torch.where(values > 0, values + self.SPECIAL, 0))

    def layer(self, number: int, tokens: Tensor) -> Tensor:
        """Tokens after one layer; places count by the bias that the first layer owns."""
        attention = self.network.block[0].layer[0].SelfAttention
        bias = attention.compute_bias(tokens.shape[1], tokens.shape[1], device=tokens.device)
        return self.network.block[number](tokens, position_bias=bias)[0]

    def pool(self, tokens: Tensor) -> Tensor:
        """The mean of the tokens: there is no class token."""
        return tokens.mean(dim=1)


class Standardised(nn.Module):
    """Patch embedding behind (x - mean) / deviation, numbers of the training data that the weights carry."""

    def __init__(self, embedding: nn.Module) -> None:
        super().__init__()
        self.embedding = embedding
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))

    @property
    def num_patches(self) -> int:
        """As timm asks for it."""
        return int(self.embedding.num_patches)

    def forward(self, x: Tensor) -> Tensor:
        """Samples to tokens."""
        return self.embedding((x - self.mean) / self.deviation)


def small_tower(
    *, shape: Sequence[int], patch: Sequence[int], dim: int, depth: int, heads: int, n_classes: int = 0
) -> Any:
    """A VisionTransformer with class token over (C, H, W) samples that need not be square.

    Raises:
        RecollectError: patches do not tile the sample.
    """
    import_timm()
    from timm.layers import PatchEmbed
    from timm.models.vision_transformer import VisionTransformer

    channels, height, width = shape
    if height % patch[0] or width % patch[1]:
        raise RecollectError(
            f"patches of {patch[0]}x{patch[1]} do not tile samples of {height}x{width}: choose sides that divide"
        )

    def embed(**arguments: Any) -> Standardised:
        arguments = {**arguments, "img_size": (height, width), "patch_size": tuple(patch)}
        return Standardised(PatchEmbed(**arguments))

    vit = VisionTransformer(
        img_size=(height, width), patch_size=tuple(patch), in_chans=channels, num_classes=n_classes,  # type: ignore[arg-type]
        embed_dim=dim, depth=depth, num_heads=heads, embed_layer=embed,
    )  # fmt: skip
    for block in vit.blocks:
        block.attn.fused_attn = False  # few tokens: plain products are as fast and have per-sample gradients
    return vit


def random_tower(size: dict[str, Any], seed: int, n_classes: int = 0) -> Any:
    """A :func:`small_tower` with weights that follow from ``seed``; the global random state is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return small_tower(**size, n_classes=n_classes)
