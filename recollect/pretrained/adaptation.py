"""Adaptations: what is added to a frozen ViT and trained. One kind per file; here their common face."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from recollect.engine.lean_import import import_timm
from recollect.errors import RecollectError


class Adaptation(nn.Module):
    """Nothing added; the base class.

    Blocks before ``first`` stay as they are, so that tokens up to there can be computed once.
    """

    first = 0

    def enter(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N, d) before block ``first``; prompts are added here."""
        return tokens

    def block(self, number: int, block: Any, tokens: Tensor) -> Tensor:
        """Block ``number`` of the ViT with whatever is added to it."""
        return block(tokens)


class Thawed(Adaptation):
    """Weights of the ViT itself from block ``first`` on, and its last norm; with ``first`` 0 the stem too.

    Attributes:
        tensors: the ViT's own parameters, here so that they are trained and saved.
    """

    def __init__(self, vit: Any, first: int) -> None:
        super().__init__()
        self.first = first
        names = [name for name, _ in vit.named_parameters() if first == 0 or _from(name, first)]
        parameters = dict(vit.named_parameters())
        for name in names:
            parameters[name].requires_grad_(True)
        # A parameter's name may not hold a dot in a ParameterDict.
        self.tensors = nn.ParameterDict({name.replace(".", "/"): parameters[name] for name in names})


def _from(name: str, first: int) -> bool:
    if name.startswith("blocks."):
        return int(name.split(".")[1]) >= first
    return name.startswith(("norm.", "fc_norm."))


def check_first(first: int, depth: int) -> int:
    """``first`` if it is a block; negative numbers count from the last one.

    Raises:
        RecollectError: there is no such block.
    """
    place = first + depth if first < 0 else first
    if not 0 <= place < depth:
        raise RecollectError(f"first_block is {first}, the backbone has {depth} blocks: choose 0 to {depth - 1}")
    return place


def plain(block: Any) -> Any:
    """The block itself if it is timm's plain one, whose parts the adaptations know.

    Raises:
        RecollectError: it is of another kind.
    """
    import_timm()
    from timm.models.vision_transformer import Block

    if not isinstance(block, Block):
        raise RecollectError(
            f"the backbone's blocks are {type(block).__name__}: adapters, prompts and SSF need plain ViT blocks, "
            "use another backbone"
        )
    return block
