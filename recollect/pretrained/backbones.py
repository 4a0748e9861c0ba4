"""A pre-trained ViT as methods see it: images to tokens, tokens through blocks, tokens to features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from recollect.errors import RecollectError
from recollect.pretrained.adaptation import Adaptation
from recollect.pretrained.registry import get_backbone_spec
from recollect.pretrained.vit import random_vit
from recollect.pretrained.weights import INFO, WEIGHTS, Located, bare_timm, read_backbone


class Backbone:
    """A ViT in evaluation mode whose weights are frozen, whatever an adaptation may thaw later.

    No module on purpose: its weights belong neither to what a method trains nor to its saved state.

    Attributes:
        vit: timm's VisionTransformer without head.
        name, sha256: which weights; the hash is empty for random ones.
        image, channels: sides and channels of its input.
        dim, depth: width of features, number of blocks.
    """

    def __init__(self, vit: Any, name: str, sha256: str, image: int, channels: int) -> None:
        self.vit = vit.eval().requires_grad_(False)
        self.name, self.sha256 = name, sha256
        self.image, self.channels = image, channels
        self.dim, self.depth = int(vit.num_features), len(vit.blocks)

    def images(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] at the backbone's size: bicubic, grey repeated; no normalisation.

        As in the LCA authors' code, which normalises nowhere.
        """
        if x.shape[1] == 1 and self.channels == 3:
            x = x.expand(-1, 3, -1, -1)
        if x.shape[1] != self.channels:
            raise RecollectError(
                f"backbone {self.name} takes {self.channels} channels, these images have {x.shape[1]}: choose "
                "another backbone or scenario"
            )
        if x.shape[-2:] != (self.image, self.image):
            # deterministic kernels exist for this without antialias only; images are enlarged here anyway
            x = nn.functional.interpolate(x, (self.image, self.image), mode="bicubic", align_corners=False)
            x = x.clamp(0, 1)
        return x

    def tokens(self, x: Tensor) -> Tensor:
        """What the first block gets, (B, N, d)."""
        vit = self.vit
        return vit.norm_pre(vit.patch_drop(vit._pos_embed(vit.patch_embed(self.images(x)))))

    def prefix(self, x: Tensor, stop: int) -> Tensor:
        """Tokens after the first ``stop`` blocks, as they are without any adaptation."""
        tokens = self.tokens(x)
        for block in self.vit.blocks[:stop]:
            tokens = block(tokens)
        return tokens

    def suffix(self, tokens: Tensor, start: int, adaptation: Adaptation | None = None) -> Tensor:
        """Features (B, d) from tokens before block ``start``: class token after the last norm."""
        if adaptation is None:
            for block in self.vit.blocks[start:]:
                tokens = block(tokens)
        else:
            tokens = adaptation.enter(tokens)
            for number in range(start, self.depth):
                tokens = adaptation.block(number, self.vit.blocks[number], tokens)
        return self.vit.forward_head(self.vit.norm(tokens), pre_logits=True)

    def features(self, x: Tensor, adaptation: Adaptation | None = None) -> Tensor:
        """Features (B, d) of images (B, C, H, W)."""
        start = 0 if adaptation is None else adaptation.first
        return self.suffix(self.prefix(x, start), start, adaptation)


def load_backbone(name: str, *, pretrained: bool = True, device: torch.device | str = "cpu") -> Backbone:
    """A backbone by name.

    Args:
        name: as in :func:`~recollect.pretrained.registry.get_backbone_spec`; a :class:`Located` one knows its
            folder, any other is looked for in ``results/backbones``.
        pretrained: False gives random weights that follow from a fixed seed, for timing and tests.
        device: where it goes.

    Raises:
        RecollectError: no such backbone, no weights, or not the ones that their record names.
    """
    plain, _, wanted = name.partition("@")
    spec = get_backbone_spec(plain)
    folder = name.folder if isinstance(name, Located) else Path("results") / "backbones" / plain
    sha256, weights = "", None
    if pretrained:
        weights, sha256 = read_backbone(folder, plain)
        if not sha256.startswith(wanted):
            raise RecollectError(
                f"{folder} holds weights {sha256[:16]} of {plain}, asked for are {wanted}: the backbone was made "
                "anew since, train again"
            )
    if spec.embedded:
        vit, image, channels = random_vit(spec.size, seed=0), spec.size["image"], spec.size["channels"]
    else:
        vit, image, channels = bare_timm(plain)
    if weights is not None:
        try:
            vit.load_state_dict(weights)
        except RuntimeError:
            raise RecollectError(
                f"{folder / WEIGHTS} holds the weights of another network than {plain}: delete {folder / INFO} "
                "and make it again"
            ) from None
    vit.to(device)
    return Backbone(vit, plain, sha256, image, channels)
