"""The metadata of a simulated SAFE product: the elements that readers look for, named as ESA names them.

After the product specification S2-PDGS-TAS-DI-PSD and real products of several baselines. What tells of the
processing, the data strip and the quality reports is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from geotoolz.core.testing._simulate_args import baseline_numbers, utm_zone
from geotoolz.core.testing._simulate_safe_names import ORBIT, RELATIVE_ORBIT, SafeNames

BAND_IDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
STEP = 5000
_NAMESPACES = {
    "L1C": ("Level-1C_User_Product", "Level-1C_Tile_ID"),
    "L2A": ("Level-2A_User_Product", "Level-2A_Tile_ID"),
}
_SCL = (
    "SC_NODATA", "SC_SATURATED_DEFECTIVE", "SC_DARK_FEATURE_SHADOW", "SC_CLOUD_SHADOW", "SC_VEGETATION",
    "SC_NOT_VEGETATED", "SC_WATER", "SC_UNCLASSIFIED", "SC_CLOUD_MEDIUM_PROBA", "SC_CLOUD_HIGH_PROBA",
    "SC_THIN_CIRRUS", "SC_SNOW_ICE",
)  # fmt: skip


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
    return baseline_numbers(baseline) >= (4, 0)


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
    zone, side = utm_zone(box.crs.epsg)
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
{_angles(attrs, box)}
    </Tile_Angles>
  </n1:Geometric_Info>
  <n1:Quality_Indicators_Info metadataLevel="Standard"/>
</n1:{root}>
"""


def view_angles(index: int) -> tuple[float, float]:
    """Return the mean zenith and azimuth under which a band is seen."""
    return 6.5 + 0.05 * index, 106.0 + 0.25 * index


def _angles(attrs: Mapping[str, Any], box: Any) -> str:
    zenith, azimuth = 90.0 - attrs["sun_elevation"], attrs["sun_azimuth"]
    mean = '<ZENITH_ANGLE unit="deg">{}</ZENITH_ANGLE><AZIMUTH_ANGLE unit="deg">{}</AZIMUTH_ANGLE>'
    grids = [f"      <Sun_Angles_Grid>{_grid(zenith, azimuth, box)}</Sun_Angles_Grid>"]
    grids.append(f"      <Mean_Sun_Angle>{mean.format(zenith, azimuth)}</Mean_Sun_Angle>")
    means = []
    for index in range(len(BAND_IDS)):
        view = view_angles(index)
        tag = "Viewing_Incidence_Angles_Grids"
        grids.append(f'      <{tag} bandId="{index}" detectorId="1">{_grid(*view, box)}</{tag}>')
        tag = "Mean_Viewing_Incidence_Angle"
        means.append(f'        <{tag} bandId="{index}">{mean.format(*view)}</{tag}>')
    tag = "Mean_Viewing_Incidence_Angle_List"
    return "\n".join([*grids, f"      <{tag}>", *means, f"      </{tag}>"])


def _grid(zenith: float, azimuth: float, box: Any) -> str:
    """Return a grid from corner to corner: 0.2° less zenith per 5 km east, 0.3° more per 5 km south."""
    (rows, down), (cols, right) = (_nodes(size * 10) for size in box.shape)
    parts = []
    for tag, angle, east, south in (("Zenith", zenith, -0.2, 0.3), ("Azimuth", azimuth, 0.4, 0.0)):
        values = [
            [angle + (east * col * right + south * row * down) / STEP for col in range(cols)]
            for row in range(rows)
        ]
        lines = "".join("<VALUES>" + " ".join(f"{v:.6g}" for v in row) + "</VALUES>" for row in values)
        steps = f'<COL_STEP unit="m">{right:g}</COL_STEP><ROW_STEP unit="m">{down:g}</ROW_STEP>'
        parts.append(f"<{tag}>{steps}<Values_List>{lines}</Values_List></{tag}>")
    return "".join(parts)


def _nodes(extent: float) -> tuple[int, float]:
    """Return how many nodes there are along a side, and their distance: 5 km on a whole tile of 109.8 km."""
    steps = math.ceil(extent / STEP)
    return steps + 1, STEP if steps * STEP - extent < STEP / 2 else extent / steps
