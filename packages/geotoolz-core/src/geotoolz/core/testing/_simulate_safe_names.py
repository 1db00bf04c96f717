"""What the files of a simulated SAFE product are called."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

ORBIT, RELATIVE_ORBIT = 41716, 79


@dataclass(frozen=True)
class SafeNames:
    """What the files of a product are called.

    Parameters
    ----------
    unit : str
        ``"S2A"`` and so on.
    level, baseline, tile : str
        ``"L2A"``, ``"05.09"``, ``"33TWL"``.
    sensed, made : datetime
        Of the acquisition and of the processing.
    long : bool
        The names of products before 6 December 2016.
    """

    unit: str
    level: str
    baseline: str
    tile: str
    sensed: datetime
    made: datetime
    long: bool

    @property
    def _who(self) -> str:
        return "OPER" if self.level == "L1C" else "USER"

    @property
    def _run(self) -> str:
        return f"{self.made:%Y%m%dT%H%M%S}_A{ORBIT:06d}_T{self.tile}"

    @property
    def product(self) -> str:
        """The product's folder, without ``.SAFE``."""
        if self.long:
            return f"{self.unit}_{self._who}_PRD_MSI{self.level}_{self._period}"
        number = self.baseline.replace(".", "")
        return (
            f"{self.unit}_MSI{self.level}_{self.sensed:%Y%m%dT%H%M%S}_N{number}_R{RELATIVE_ORBIT:03d}"
            f"_T{self.tile}_{self.made:%Y%m%dT%H%M%S}"
        )

    @property
    def _period(self) -> str:
        day = f"{self.sensed:%Y%m%dT%H%M%S}"
        return f"PDMC_{self.made:%Y%m%dT%H%M%S}_R{RELATIVE_ORBIT:03d}_V{day}_{day}"

    @property
    def product_xml(self) -> str:
        """The product metadata."""
        if self.long:
            return f"{self.unit}_{self._who}_MTD_SAF{self.level}_{self._period}.xml"
        return f"MTD_MSI{self.level}.xml"

    @property
    def tile_id(self) -> str:
        """The granule's identifier."""
        who, centre = (self._who, "SGS_") if self.long else ("OPER", "2APS")
        return f"{self.unit}_{who}_MSI_{self.level}_TL_{centre}_{self._run}_N{self.baseline}"

    @property
    def granule(self) -> str:
        """The granule's folder."""
        compact = f"{self.level}_T{self.tile}_A{ORBIT:06d}_{self.sensed:%Y%m%dT%H%M%S}"
        return self.tile_id if self.long else compact

    @property
    def granule_xml(self) -> str:
        """The granule metadata."""
        return (
            f"{self.unit}_{self._who}_MTD_{self.level}_TL_SGS__{self._run}.xml" if self.long else "MTD_TL.xml"
        )

    def image(self, band: str, size: int) -> str:
        """Return the path of a band in the granule, without its ending."""
        folder = "IMG_DATA" if self.level == "L1C" else f"IMG_DATA/R{size}m"
        suffix = "" if self.level == "L1C" else f"_{size}m"
        if band in ("CLD", "SNW"):
            stem = (
                f"QI_DATA/MSK_{band}PRB"
                if not self.long
                else f"QI_DATA/{self.unit}_USER_{band}_L2A_TL_SGS__{self._run}"
            )
            return f"{stem}_{size}m"
        if not self.long:
            return f"{folder}/T{self.tile}_{self.sensed:%Y%m%dT%H%M%S}_{band}{suffix}"
        if band in ("SCL", "AOT", "WVP"):
            return f"{folder}/{self.unit}_{self._who}_{band}_L2A_TL_SGS__{self._run}{suffix}"
        return f"{folder}/{self.unit}_{self._who}_MSI_{self.level}_TL_SGS__{self._run}_{band}{suffix}"
