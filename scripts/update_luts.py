"""Write the colour tables of `geotoolz.viz` from matplotlib's.

    uv run scripts/update_luts.py            write packages/geotoolz-core/src/geotoolz/viz/luts.txt
    uv run scripts/update_luts.py --check    exit with 1 if the file is not what matplotlib has

One line per map: its name and 256 colours of six hexadecimal digits. They are the bytes that matplotlib makes
of its colours, so pictures agree to the bit. A reversed map (`_r`) has a line of its own where matplotlib
rounds it differently; elsewhere it is the plain one backwards.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

TARGET = Path(__file__).resolve().parents[1] / "packages/geotoolz-core/src/geotoolz/viz/luts.txt"
NAMES = (
    "viridis", "magma", "inferno", "plasma", "cividis", "turbo",
    "Greys", "gray", "Blues", "Greens", "Reds", "YlGn", "YlGnBu", "YlOrRd", "YlOrBr",
    "RdYlGn", "RdYlBu", "RdBu", "BrBG", "PiYG", "PRGn", "Spectral", "coolwarm", "terrain",
)  # fmt: skip
HEADER = """\
# 256 colours per map, written by scripts/update_luts.py from matplotlib's tables.
# viridis, magma, inferno, plasma: N. J. Smith, S. van der Walt, E. Firing; CC0.
# cividis: J. R. Nuñez, C. R. Anderton, R. S. Renslow (2018), PLoS ONE 13(7): e0199239.
# turbo: A. Mikhailov, Google; Apache License 2.0.
# Greys, Blues, Greens, Reds, YlGn, YlGnBu, YlOrRd, YlOrBr, RdYlGn, RdYlBu, RdBu, BrBG, PiYG, PRGn, Spectral:
#   colour specifications and designs developed by Cynthia Brewer (https://colorbrewer.org); Copyright 2002
#   Cynthia Brewer, Mark Harrower and The Pennsylvania State University; Apache-style licence.
# coolwarm: K. Moreland (2009). gray, terrain: matplotlib, (c) the Matplotlib Development Team; its licence.
"""


def table(colormap: Any) -> Any:
    """Return the 256 colours of a map as bytes."""
    if colormap.N != 256:
        raise SystemExit(f"{colormap.name} has {colormap.N} colours, and the tables hold 256")
    return colormap(np.arange(256), bytes=True)[:, :3]


def text() -> str:
    """Return the file as it should be."""
    from matplotlib import colormaps

    lines = []
    for name in NAMES:
        forward, backward = table(colormaps[name]), table(colormaps[f"{name}_r"])
        lines.append(f"{name} {forward.tobytes().hex()}\n")
        if not np.array_equal(forward[::-1], backward):
            lines.append(f"{name}_r {backward.tobytes().hex()}\n")
    return HEADER + "".join(lines)


def main() -> int:
    """Write the file, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, do not write")
    wanted = text()
    if parser.parse_args().check:
        return int(TARGET.read_text(encoding="utf-8") != wanted)
    TARGET.write_text(wanted, encoding="utf-8")
    print(f"{TARGET.name}: {len(NAMES)} maps, {len(wanted.encode())} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
