"""The metadata of a simulated SAFE product: the elements that readers look for, named as ESA names them.

After the product specification S2-PDGS-TAS-DI-PSD and real products of several baselines. What tells of the
processing, the data strip and the quality reports is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

BAND_IDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
ORBIT, RELATIVE_ORBIT = 41716, 79
_STEPS = 23
_NAMESPACES = {
    "L1C": ("Level-1C_User_Product", "Level-1C_Tile_ID"),
    "L2A": ("Level-2A_User_Product", "Level-2A_Tile_ID"),
}
_SCL = (
    "SC_NODATA", "SC_SATURATED_DEFECTIVE", "SC_DARK_FEATURE_SHADOW", "SC_CLOUD_SHADOW", "SC_VEGETATION",
    "SC_NOT_VEGETATED", "SC_WATER", "SC_UNCLASSIFIED", "SC_CLOUD_MEDIUM_PROBA", "SC_CLOUD_HIGH_PROBA",
    "SC_THIN_CIRRUS", "SC_SNOW_ICE",
)  # fmt: skip


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


def product_xml(names: SafeNames, images: Sequence[str], attrs: Mapping[str, Any], cloud_cover: float) -> str:
    """Return ``MTD_MSIL1C.xml`` or ``MTD_MSIL2A.xml``."""
    root = _NAMESPACES[names.level][0]
    when, level = f"{names.sensed:%Y-%m-%dT%H:%M:%S}.024Z", f"Level-{names.level[1:]}"
    uri = "PRODUCT_URI" if not (names.long and names.level == "L2A") else "PRODUCT_URI_2A"
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:{root} xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_{level}.xsd">
  <n1:General_Info>
    <Product_Info>
      <PRODUCT_START_TIME>{when}</PRODUCT_START_TIME>
      <PRODUCT_STOP_TIME>{when}</PRODUCT_STOP_TIME>
      <{uri}>{names.product}.SAFE</{uri}>
      <PROCESSING_LEVEL>{level}</PROCESSING_LEVEL>
      <PRODUCT_TYPE>S2MSI{names.level[1:]}</PRODUCT_TYPE>
      <PROCESSING_BASELINE>{names.baseline}</PROCESSING_BASELINE>
      <GENERATION_TIME>{names.made:%Y-%m-%dT%H:%M:%S}.000000Z</GENERATION_TIME>
      <PREVIEW_IMAGE_URL>Not applicable</PREVIEW_IMAGE_URL>
      <PREVIEW_GEO_INFO>Not applicable</PREVIEW_GEO_INFO>
      <Datatake datatakeIdentifier="G{names.unit}_{names.sensed:%Y%m%dT%H%M%S}_{ORBIT:06d}_N{names.baseline}">
        <SPACECRAFT_NAME>Sentinel-{names.unit[1:]}</SPACECRAFT_NAME>
        <DATATAKE_TYPE>INS-NOBS</DATATAKE_TYPE>
        <DATATAKE_SENSING_START>{when}</DATATAKE_SENSING_START>
        <SENSING_ORBIT_NUMBER>{RELATIVE_ORBIT}</SENSING_ORBIT_NUMBER>
        <SENSING_ORBIT_DIRECTION>DESCENDING</SENSING_ORBIT_DIRECTION>
      </Datatake>
      <Query_Options completeSingleTile="true">
        <PRODUCT_FORMAT>{"SAFE" if names.long else "SAFE_COMPACT"}</PRODUCT_FORMAT>{_band_list(names)}
      </Query_Options>
      <Product_Organisation>
        <Granule_List>
{_granule_list(names, images)}
        </Granule_List>
      </Product_Organisation>
    </Product_Info>
    <Product_Image_Characteristics>
      <Special_Values>
        <SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT>
        <SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX>
      </Special_Values>
      <Special_Values>
        <SPECIAL_VALUE_TEXT>SATURATED</SPECIAL_VALUE_TEXT>
        <SPECIAL_VALUE_INDEX>65535</SPECIAL_VALUE_INDEX>
      </Special_Values>
      <Image_Display_Order>
        <RED_CHANNEL>3</RED_CHANNEL>
        <GREEN_CHANNEL>2</GREEN_CHANNEL>
        <BLUE_CHANNEL>1</BLUE_CHANNEL>
      </Image_Display_Order>
{_radiometry(names)}
    </Product_Image_Characteristics>
  </n1:General_Info>
  <n1:Geometric_Info>
    <Product_Footprint>
      <Product_Footprint>
        <Global_Footprint>
          <EXT_POS_LIST>{attrs["footprint"]}</EXT_POS_LIST>
        </Global_Footprint>
      </Product_Footprint>
    </Product_Footprint>
  </n1:Geometric_Info>
  <n1:Quality_Indicators_Info>
    <Cloud_Coverage_Assessment>{cloud_cover:.6f}</Cloud_Coverage_Assessment>
  </n1:Quality_Indicators_Info>
</n1:{root}>
"""


def _band_list(names: SafeNames) -> str:
    """Return the bands that were ordered, as the products of 2015 and 2016 list them: B1, B8A and so on."""
    if not (names.long and names.level == "L1C"):
        return ""
    bands = "".join(f"<BAND_NAME>B{band[1:].lstrip('0')}</BAND_NAME>" for band in BAND_IDS)
    return f"\n        <Band_List>{bands}</Band_List>"


def _granule_list(names: SafeNames, images: Iterable[str]) -> str:
    element = ("IMAGE_ID" if names.level == "L1C" else "IMAGE_ID_2A") if names.long else "IMAGE_FILE"
    group = "Granules" if names.long else "Granule"
    shown = [one.rsplit("/", 1)[-1] if names.long else f"GRANULE/{names.granule}/{one}"
             for one in images if one.startswith("IMG_DATA")]  # fmt: skip
    lines = [f"            <{element}>{one}</{element}>" for one in shown]
    strip = names.tile_id.replace("_TL_", "_DS_").replace(f"_A{ORBIT:06d}_T{names.tile}", "")
    head = f'datastripIdentifier="{strip}" granuleIdentifier="{names.tile_id}" imageFormat="JPEG2000"'
    return "\n".join([f"          <{group} {head}>", *lines, f"          </{group}>"])


def _radiometry(names: SafeNames) -> str:
    """Return quantification, and the offsets that baselines from 04.00 on have."""
    shifted = has_offset(names.baseline)
    if names.level == "L1C":
        tag, around = "RADIO_ADD_OFFSET", "Radiometric_Offset_List"
        text = '      <QUANTIFICATION_VALUE unit="none">10000</QUANTIFICATION_VALUE>'
    else:
        tag, around = "BOA_ADD_OFFSET", "BOA_ADD_OFFSET_VALUES_LIST"
        start, group = (
            ("L2A_", "L1C_L2A_Quantification_Values_List")
            if names.long
            else ("", "QUANTIFICATION_VALUES_LIST")
        )
        text = f"""      <{group}>
        <{start}BOA_QUANTIFICATION_VALUE unit="none">10000</{start}BOA_QUANTIFICATION_VALUE>
        <{start}AOT_QUANTIFICATION_VALUE unit="none">1000.0</{start}AOT_QUANTIFICATION_VALUE>
        <{start}WVP_QUANTIFICATION_VALUE unit="cm">1000.0</{start}WVP_QUANTIFICATION_VALUE>
      </{group}>"""
    if shifted:
        lines = [f'        <{tag} band_id="{i}">-1000</{tag}>' for i in range(len(BAND_IDS))]
        text += "\n" + "\n".join([f"      <{around}>", *lines, f"      </{around}>"])
    if names.level == "L2A":
        classes = "\n".join(
            f"        <Scene_Classification_ID><SCENE_CLASSIFICATION_TEXT>{name}</SCENE_CLASSIFICATION_TEXT>"
            f"<SCENE_CLASSIFICATION_INDEX>{code}</SCENE_CLASSIFICATION_INDEX></Scene_Classification_ID>"
            for code, name in enumerate(_SCL)
        )
        text += f"\n      <Scene_Classification_List>\n{classes}\n      </Scene_Classification_List>"
    return text


def has_offset(baseline: str) -> bool:
    """Tell whether the digital numbers of a baseline carry the offset of 1000."""
    major, minor = (int(part) for part in baseline.split("."))
    return (major, minor) >= (4, 0)


def granule_xml(names: SafeNames, attrs: Mapping[str, Any], box: Any) -> str:
    """Return ``MTD_TL.xml``; `box` is the grid of 10 m."""
    root = _NAMESPACES[names.level][1]
    rows, cols = box.shape
    sizes = "\n".join(
        f'      <Size resolution="{size}"><NROWS>{rows * 10 // size}</NROWS>'
        f"<NCOLS>{cols * 10 // size}</NCOLS></Size>"
        for size in (10, 20, 60)
    )
    places = "\n".join(
        f'      <Geoposition resolution="{size}"><ULX>{box.affine.c:.0f}</ULX><ULY>{box.affine.f:.0f}</ULY>'
        f"<XDIM>{size}</XDIM><YDIM>-{size}</YDIM></Geoposition>"
        for size in (10, 20, 60)
    )
    zone, side = box.crs.epsg % 100, "N" if box.crs.epsg < 32700 else "S"
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:{root} xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_Level-{names.level[1:]}_Tile_Metadata.xsd">
  <n1:General_Info>
    <TILE_ID metadataLevel="Brief">{names.tile_id}</TILE_ID>
    <DOWNLINK_PRIORITY metadataLevel="Standard">NOMINAL</DOWNLINK_PRIORITY>
    <SENSING_TIME metadataLevel="Standard">{names.sensed:%Y-%m-%dT%H:%M:%S}.072618Z</SENSING_TIME>
  </n1:General_Info>
  <n1:Geometric_Info>
    <Tile_Geocoding metadataLevel="Brief">
      <HORIZONTAL_CS_NAME>WGS84 / UTM zone {zone}{side}</HORIZONTAL_CS_NAME>
      <HORIZONTAL_CS_CODE>EPSG:{box.crs.epsg}</HORIZONTAL_CS_CODE>
{sizes}
{places}
    </Tile_Geocoding>
    <Tile_Angles metadataLevel="Standard">
{_angles(attrs)}
    </Tile_Angles>
  </n1:Geometric_Info>
  <n1:Quality_Indicators_Info metadataLevel="Standard"/>
</n1:{root}>
"""


def view_angles(index: int) -> tuple[float, float]:
    """Return the mean zenith and azimuth under which a band is seen."""
    return 6.5 + 0.05 * index, 106.0 + 0.25 * index


def _angles(attrs: Mapping[str, Any]) -> str:
    zenith, azimuth = 90.0 - attrs["sun_elevation"], attrs["sun_azimuth"]
    grids = [f"      <Sun_Angles_Grid>{_grid(zenith, azimuth)}</Sun_Angles_Grid>"]
    mean = '<ZENITH_ANGLE unit="deg">{}</ZENITH_ANGLE><AZIMUTH_ANGLE unit="deg">{}</AZIMUTH_ANGLE>'
    grids.append(f"      <Mean_Sun_Angle>{mean.format(zenith, azimuth)}</Mean_Sun_Angle>")
    means = []
    for index in range(len(BAND_IDS)):
        view = view_angles(index)
        tag = "Viewing_Incidence_Angles_Grids"
        grids.append(f'      <{tag} bandId="{index}" detectorId="1">{_grid(*view)}</{tag}>')
        tag = "Mean_Viewing_Incidence_Angle"
        means.append(f'        <{tag} bandId="{index}">{mean.format(*view)}</{tag}>')
    tag = "Mean_Viewing_Incidence_Angle_List"
    return "\n".join([*grids, f"      <{tag}>", *means, f"      </{tag}>"])


def _grid(zenith: float, azimuth: float) -> str:
    """Return a grid of 5 km whose angles do not change over the tile."""
    parts = []
    for tag, angle in (("Zenith", zenith), ("Azimuth", azimuth)):
        row = "<VALUES>" + " ".join([f"{angle:.6g}"] * _STEPS) + "</VALUES>"
        steps = '<COL_STEP unit="m">5000</COL_STEP><ROW_STEP unit="m">5000</ROW_STEP>'
        parts.append(f"<{tag}>{steps}<Values_List>{row * _STEPS}</Values_List></{tag}>")
    return "".join(parts)
