"""Which figure a typed quantity probably means."""

from __future__ import annotations

from collections.abc import Mapping

from lora_demo.pages.lint.quantities import Quantity
from lora_demo.results.figure import Figure
from lora_demo.results.units import GB, GIB, KIB, MIB

_COUNT, _SHARE, _SIZE = ("params", "tokens", "1"), ("%", "acc", "ratio"), ("B", "B/param", "B/token")
# Word of the unit -> (what one of it is in base units, figure units that it can stand for).
_MEANINGS: dict[str, list[tuple[int | float, tuple[str, ...]]]] = {
    "": [(1.0, (*_COUNT, *_SIZE))],
    "万": [(1e4, _COUNT)],
    "百万": [(1e6, _COUNT)],
    "千万": [(1e7, _COUNT)],
    "亿": [(1e8, _COUNT)],
    "thousand": [(1e3, (*_COUNT, "ratio"))],
    "million": [(1e6, (*_COUNT, "ratio"))],
    "billion": [(1e9, (*_COUNT, "ratio"))],
    "M": [(1e6, _COUNT), (MIB, _SIZE)],
    "G": [(GIB, _SIZE)],
    "token": [(1.0, ("tokens",))],
    "tokens": [(1.0, ("tokens",))],
    "字节": [(1.0, _SIZE)],
    "byte": [(1.0, _SIZE)],
    "bytes": [(1.0, _SIZE)],
    "KB": [(1000, _SIZE), (KIB, _SIZE)],
    "MB": [(1e6, _SIZE), (MIB, _SIZE)],
    "GB": [(GB, _SIZE), (GIB, _SIZE), (1.0, ("GB",))],
    "GiB": [(GIB, _SIZE)],
    "MiB": [(MIB, _SIZE)],
    "gigs": [(GIB, _SIZE)],
    "megs": [(MIB, _SIZE)],
    "兆": [(MIB, _SIZE)],
    "TB": [(1e12, _SIZE), (1024.0 * GIB, _SIZE)],
    "TiB": [(1024.0 * GIB, _SIZE)],
    "terabytes": [(1e12, _SIZE), (1024.0 * GIB, _SIZE)],
    "gigabytes": [(GB, _SIZE), (GIB, _SIZE)],
    "%": [(0.01, _SHARE)],
    "percent": [(0.01, _SHARE)],
    "成": [(0.1, _SHARE)],
    "倍": [(1.0, ("ratio",))],
    "万倍": [(1e4, ("ratio",))],
    "亿倍": [(1e8, ("ratio",))],
    "x": [(1.0, ("ratio",))],
    "×": [(1.0, ("ratio",))],
    "times": [(1.0, ("ratio",))],
}
CLOSE_ENOUGH = 0.05


def candidates(quantity: Quantity, figures: Mapping[str, Figure], count: int = 3) -> list[str]:
    """Names of the figures within 5 % of the quantity, the closest first."""
    if not quantity.value:
        return []
    found: dict[str, float] = {}
    for scale, units in _MEANINGS.get(quantity.unit, []):
        wanted = quantity.value * scale
        for name, figure in figures.items():
            error = abs(figure.value - wanted) / wanted
            if figure.unit in units and error <= CLOSE_ENOUGH:
                found[name] = min(error, found.get(name, error))
    return sorted(found, key=lambda name: (found[name], name))[:count]


def advice(quantity: Quantity, figures: Mapping[str, Figure]) -> str:
    """What to write instead of the typed quantity."""
    names = candidates(quantity, figures)
    if names:
        return "write " + " or ".join(f"`{{{{ fig:{name}|spoken }}}}`" for name in names)
    return "register the number as a figure and write `{{ fig:NAME }}`, or say it without a quantity"
