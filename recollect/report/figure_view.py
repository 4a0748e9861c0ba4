"""Figures inside the page: each file becomes a data address with words for those who cannot see it."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BUDGET = 1_800_000
"""Bytes that all figures of a page may take together, before base64 makes a third more of them."""
WIDTHS = (1000, 700, 500, 350)
"""Pixels; the largest that fits the budget is taken."""

KINDS: Mapping[str, tuple[str, str]] = {
    "matrix": ("Accuracy matrix", "Heat maps, one per method: accuracy on every task after training every task"),
    "curves": ("Average accuracy over tasks seen", "Lines, one per method, of average accuracy after every task"),
    "forgetting": (
        "Forgetting of every task",
        "Bars, one panel per method: best accuracy minus the final one",
    ),
    "final": ("Final values of every seed", "One row per method with mean, interval and every seed's value"),
    "distances": ("Distances per task", "Heat maps of distances of samples to images, task by task over training"),
    "samples": ("Samples after every task", "Generated images, a row of samples of each task after every task"),
    "reconstructions": ("Reconstructions", "Images beside what the model makes of them"),
    "experts": (
        "Experts",
        "Heat maps, one per block, of how much every task uses every expert, and routing agreement",
    ),
    "modalities": ("Clusters of the modalities", "Points of unimodal and joint representations in a plane"),
    "latents": ("Latent space", "Points of the shared latent space, coloured by task"),
}


@dataclass(frozen=True)
class FigureView:
    """What stands in the page: data address, words in its place, caption."""

    uri: str
    alt: str
    caption: str


def data_uri(content: bytes, mime: str) -> str:
    """Content as an address that holds it."""
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


def figure_views(folder: Path, words: Mapping[str, str], taken: int = 0) -> list[FigureView]:
    """All figures of a folder, vector where small enough.

    Args:
        folder: with `<name>.svg` and `<name>.png`, names as the figures and pictures steps give them.
        words: scenario -> main results in words, appended to the text alternatives of accuracy figures.
        taken: bytes of the budget that are used up.
    """
    stems = sorted({path.stem for path in folder.glob("*.svg")} | {path.stem for path in folder.glob("*.png")})
    share = max(0, BUDGET - taken) // max(1, len(stems))
    return [_view(folder, stem, share, words) for stem in stems]


def embedded(svg: bytes | None, png: bytes | None, share: int) -> str:
    """Vector if it fits the share, else the largest picture that does, else the smallest."""
    if svg is not None and len(svg) <= share:
        return data_uri(svg, "image/svg+xml")
    if png is None:
        return data_uri(svg or b"", "image/svg+xml")
    content = b""
    for width in WIDTHS:
        content = _smaller(png, width)
        if len(content) <= share:
            break
    return data_uri(content, "image/png")


def _smaller(png: bytes, width: int) -> bytes:
    """A picture at most so many pixels wide, with a palette."""
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        made = image.convert("RGB")
        if made.width > width:
            made = made.resize((width, max(1, round(made.height * width / made.width))), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        made.quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
            file, "PNG", optimize=True
        )
        return file.getvalue()


def _view(folder: Path, stem: str, share: int, words: Mapping[str, str]) -> FigureView:
    svg, png = (
        path.read_bytes() if (path := folder / f"{stem}.{form}").is_file() else None for form in ("svg", "png")
    )
    parts = stem.split("-")
    kind, about = (parts[-1], parts[1:-1]) if parts[-1] in KINDS else (parts[0], parts[1:])
    title, what = KINDS.get(kind, (stem, "Figure"))
    named = ", ".join(about)
    more = next(
        (text for scenario, text in words.items() if scenario in about and kind in ("final", "curves")), ""
    )
    alt = f"{what} ({named}). {more}".strip() if more else f"{what} ({named}). The tables hold the numbers."
    return FigureView(embedded(svg, png, share), alt, f"{title}: {named}" if named else title)


def results_in_words(rows: Sequence[tuple[str, str, str]]) -> dict[str, str]:
    """Scenario -> `Naive 19.6; DER++ 84.5` from (scenario, label, text)."""
    found: dict[str, list[str]] = {}
    for scenario, label, text in rows:
        found.setdefault(scenario, []).append(f"{label} {text}")
    return {scenario: "; ".join(texts) + "." for scenario, texts in found.items()}
