"""Clouds, shadows and other flags: from quality layers to masked bands."""

from __future__ import annotations

from geotoolz.cloud._apply import ApplyMask
from geotoolz.cloud._buffer import BufferMask
from geotoolz.cloud._combine import CombineMasks
from geotoolz.cloud._fraction import CloudFraction
from geotoolz.cloud._mask_clouds import MaskClouds
from geotoolz.cloud._masks import MaskFromFlags, MaskFromQABits, MaskFromSCL
from geotoolz.cloud._patches import RemoveSmallPatches
from geotoolz.cloud._shadows import ProjectShadows
from geotoolz.cloud._small import RemoveSmall
from geotoolz.cloud._spectral import SpectralClouds
from geotoolz.core import verb

apply_mask = verb(ApplyMask, "apply_mask")
buffer_mask = verb(BufferMask, "buffer_mask")
combine_masks = verb(CombineMasks, "combine_masks")
mask_clouds = verb(MaskClouds, "mask_clouds")
mask_from_flags = verb(MaskFromFlags, "mask_from_flags")
mask_from_qa_bits = verb(MaskFromQABits, "mask_from_qa_bits")
mask_from_scl = verb(MaskFromSCL, "mask_from_scl")
mask_spectral_clouds = verb(SpectralClouds, "mask_spectral_clouds")
project_shadows = verb(ProjectShadows, "project_shadows")
remove_small = verb(RemoveSmall, "remove_small")
remove_small_patches = verb(RemoveSmallPatches, "remove_small_patches")

__all__ = [
    "ApplyMask",
    "BufferMask",
    "CloudFraction",
    "CombineMasks",
    "MaskClouds",
    "MaskFromFlags",
    "MaskFromQABits",
    "MaskFromSCL",
    "ProjectShadows",
    "RemoveSmall",
    "RemoveSmallPatches",
    "SpectralClouds",
    "apply_mask",
    "buffer_mask",
    "combine_masks",
    "mask_clouds",
    "mask_from_flags",
    "mask_from_qa_bits",
    "mask_from_scl",
    "mask_spectral_clouds",
    "project_shadows",
    "remove_small",
    "remove_small_patches",
]
