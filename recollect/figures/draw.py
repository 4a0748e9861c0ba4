"""Draw and write all figures of a table."""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from recollect.errors import RecollectError
from recollect.figures.curves import curves
from recollect.figures.dots import dots
from recollect.figures.forgetting import forgetting_bars
from recollect.figures.heat_map import heat_map
from recollect.figures.matrices import checked, lost_curve, seen_curve
from recollect.figures.style import style
from recollect.files import write_bytes
from recollect.stats.bootstrap import FloatArray
from recollect.tables.cell_text import Row
from recollect.tables.declaration import TableSpec, parse_declaration

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

KINDS = ("matrix", "curves", "forgetting", "final")
FORMATS = ("svg", "pdf", "png")
PNG_DPI = 300

# What would put the date, or the library's version, into the file.
_METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    "png": {"Software": None},
}

Matrices = Mapping[str, FloatArray]


def figure_paths(declaration: Mapping[str, Any], out_dir: Path | str) -> list[Path]:
    """Files that `draw_all` makes: `<id>-<scenario>-<kind>.<format>`, in its order."""
    spec = parse_declaration(declaration)
    return [
        _path(spec, scenario, kind, form, Path(out_dir))
        for scenario in spec.scenarios
        for kind in KINDS
        for form in FORMATS
    ]


def draw_all(
    matrices: Matrices | Mapping[str, Matrices],
    table_frame: "pd.DataFrame",
    declaration: Mapping[str, Any],
    out_dir: Path | str,
) -> list[Path]:
    """Draw all figures of each scenario; same input, same bytes.

    Args:
        matrices: R[t, i] per method, shape (seeds, tasks, tasks), fractions, NaN allowed where nothing
            was evaluated; for a table of several scenarios such a map per scenario.
        table_frame: the tidy frame of `build_table`.
        declaration: the table's declaration.
        out_dir: folder of the files.

    Raises:
        RecollectError: a matrix has the wrong shape, or the folder cannot be written.
    """
    spec = parse_declaration(declaration)
    by_scenario = _by_scenario(matrices, spec)
    records = cast("list[Row]", table_frame.to_dict("records"))
    for scenario in spec.scenarios:
        mine = [row for row in records if row["scenario"] == scenario]
        with style():
            for kind, figure in _figures(by_scenario.get(scenario, {}), mine, spec).items():
                for form in FORMATS:
                    write_bytes(_path(spec, scenario, kind, form, Path(out_dir)), render(figure, form))
    return figure_paths(declaration, out_dir)


def render(figure: "Figure", form: str) -> bytes:
    """Return a figure as the bytes of an SVG, PDF or PNG file without date or version.

    Its layout is computed the first time, and is then the same in all formats.
    """
    _settle(figure)
    file = io.BytesIO()
    figure.savefig(file, format=form, dpi=PNG_DPI, metadata=_METADATA[form])
    return file.getvalue()


def _settle(figure: "Figure") -> None:
    """Compute the layout at the resolution of PNG files and fix it; every saving would compute it twice."""
    if figure.get_layout_engine() is None:
        return
    dpi = figure.dpi
    figure.dpi = PNG_DPI
    figure.draw_without_rendering()
    figure.dpi = dpi
    figure.set_layout_engine(None)


def _figures(matrices: Matrices, records: list[Row], spec: TableSpec) -> dict[str, "Figure"]:
    arrays = checked({method: matrices[method] for method in spec.methods if method in matrices})
    missing = {method: _why_missing(records, method) for method in spec.methods if method not in arrays}
    options = {
        "confidence": records[0]["confidence"],
        "n_resamples": int(records[0]["n_resamples"]),
        "seed": int(records[0]["bootstrap_seed"]),
    }
    found = {method: seen_curve(array, **options) for method, array in arrays.items()}
    lost = {method: lost_curve(array, **options) for method, array in arrays.items()}
    return {
        "matrix": heat_map(arrays, missing, spec),
        "curves": curves(found, missing, spec),
        "forgetting": forgetting_bars(lost, missing, spec),
        "final": dots(records, spec),
    }


def _why_missing(records: list[Row], method: str) -> str:
    """Status of a method without matrix; `no matrix` where its table cells are fine all the same."""
    statuses = {row["status"] for row in records if row["method"] == method}
    return next((word for word in ("failed", "diverged", "not run") if word in statuses), "no matrix")


def _by_scenario(matrices: Matrices | Mapping[str, Matrices], spec: TableSpec) -> Mapping[str, Matrices]:
    if all(isinstance(value, Mapping) for value in matrices.values()):
        return cast("Mapping[str, Matrices]", matrices)
    if len(spec.scenarios) > 1:
        raise RecollectError(
            f"table '{spec.id}' has {len(spec.scenarios)} scenarios; give a map of matrices for each of them."
        )
    return {spec.scenarios[0]: cast("Matrices", matrices)}


def _path(spec: TableSpec, scenario: str, kind: str, form: str, out_dir: Path) -> Path:
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", scenario)
    return out_dir / f"{spec.id}-{name}-{kind}.{form}"
