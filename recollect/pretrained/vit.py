"""The embedded ViT: timm's VisionTransformer behind a small convolutional stem, for small images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from recollect.engine.lean_import import import_timm


class ConvStem(nn.Module):
    """Tokens (B, N, dim) of images (B, C, H, W); every convolution halves the sides.

    Convolutions instead of one large patch give a small transformer the locality that it has too few images to
    learn (Xiao et al., Early Convolutions Help Transformers See Better, 2021). GroupNorm: an image's tokens do not
    depend on its batch.
    """

    def __init__(self, image: int, channels: int, widths: Sequence[int], dim: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in (*widths, dim):
            layers += [nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.GroupNorm(4, width), nn.GELU()]
            channels = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(dim, dim, 1))
        self.num_patches = (image // 2 ** (len(widths) + 1)) ** 2

    def forward(self, x: Tensor) -> Tensor:
        """Images to tokens."""
        return self.layers(x).flatten(2).transpose(1, 2)


def small_vit(
    *, image: int, channels: int, stem: Sequence[int], dim: int, depth: int, heads: int, n_classes: int = 0
) -> Any:
    """A VisionTransformer with a class token.

    Args:
        image, channels: of the input.
        stem: widths of the stem's convolutions before its last one, which has ``dim``.
        dim, depth, heads: of the transformer.
        n_classes: of its head; 0 leaves the head away.
    """
    import_timm()
    from timm.models.vision_transformer import VisionTransformer

    def embed(**arguments: Any) -> ConvStem:
        return ConvStem(image, channels, tuple(stem), dim)

    return VisionTransformer(
        img_size=image, patch_size=2 ** (len(stem) + 1), in_chans=channels, num_classes=n_classes, embed_dim=dim,
        depth=depth, num_heads=heads, embed_layer=embed,
    )  # fmt: skip


def random_vit(size: dict[str, Any], seed: int, n_classes: int = 0) -> Any:
    """A :func:`small_vit` with weights that follow from ``seed``; the global random state is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return small_vit(**size, n_classes=n_classes)
