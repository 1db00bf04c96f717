"""What happens to pixels that lack a feature or a label when a model is fitted."""

from __future__ import annotations

from typing import Literal

from geotoolz.learn._part import Part


class NanPolicy(Part):
    """What happens at fitting to pixels without a feature, or without a label.

    A feature is missing where it is no-data, NaN or infinite. What happens at prediction is another
    question, and a parameter of the operators (``nodata=``).

    Parameters
    ----------
    on_input : {"drop", "propagate", "raise"}
        Leave the pixel out, hand it to the estimator as NaN (which must take it; a pixel that lacks every
        feature is left out all the same), or raise.
    on_label : {"drop", "raise"}
        Leave pixels without a label out, or raise.

    Examples
    --------
    >>> NanPolicy(on_input="propagate")
    NanPolicy(on_input='propagate')
    """

    on_input: Literal["drop", "propagate", "raise"] = "drop"
    on_label: Literal["drop", "raise"] = "drop"
