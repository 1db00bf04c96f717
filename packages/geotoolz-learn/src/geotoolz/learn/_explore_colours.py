"""Colours of classes that bring none: told apart by people with colour-vision deficiencies, too."""

from __future__ import annotations

# Okabe, M., Ito, K. (2008). Color Universal Design; without black, which is "no label"
_OKABE_ITO = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66),
    (0, 114, 178), (213, 94, 0), (204, 121, 167), (153, 153, 153),
)  # fmt: skip


def class_colours(count: int) -> tuple[tuple[int, int, int], ...]:
    """Return red, green, blue of some classes; beyond eight they repeat, darker each time.

    Examples
    --------
    >>> class_colours(9)[0], class_colours(9)[8]
    ((230, 159, 0), (138, 95, 0))
    """
    found = []
    for number in range(count):
        shade = 0.6 ** (number // len(_OKABE_ITO))
        red, green, blue = (round(v * shade) for v in _OKABE_ITO[number % len(_OKABE_ITO)])
        found.append((red, green, blue))
    return tuple(found)
