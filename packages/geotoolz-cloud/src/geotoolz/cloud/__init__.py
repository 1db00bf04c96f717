"""Clouds, shadows and other flags: from quality layers to masked bands."""

from __future__ import annotations

from geotoolz.cloud._apply import ApplyMask
from geotoolz.cloud._mask_clouds import MaskClouds
from geotoolz.cloud._masks import MaskFromQABits, MaskFromSCL
from geotoolz.core import verb

apply_mask = verb(ApplyMask, "apply_mask")
mask_clouds = verb(MaskClouds, "mask_clouds")
mask_from_qa_bits = verb(MaskFromQABits, "mask_from_qa_bits")
mask_from_scl = verb(MaskFromSCL, "mask_from_scl")

__all__ = [
    "ApplyMask",
    "MaskClouds",
    "MaskFromQABits",
    "MaskFromSCL",
    "apply_mask",
    "mask_clouds",
    "mask_from_qa_bits",
    "mask_from_scl",
]
