"""The type of a file by its first bytes: a readable picture, another one, or something else."""

import os
import re
from pathlib import Path

# The readable picture formats, by Pillow's names.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "AVIF", "HEIF", "PPM")
# The number of first bytes that determine a file's type.
BEGINNING = 512
# The suffixes of pictures: such a file was meant as one, whatever its content.
SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".jpe", ".jfif", ".avif",
    ".heic", ".heif", ".ppm", ".pgm", ".pnm", ".jxl", ".jp2",
)  # fmt: skip
# The suffixes of tables: of those that hold records, and of all.
RECORDS = (".json", ".jsonl", ".ndjson", ".manifest", ".mat")
TABLES = (".csv", ".tsv", ".lst", *RECORDS)

# File type → the first bytes of its files, as a pattern.
BEGINNINGS = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "BMP": rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    "GIF": rb"GIF8[79]a",
    "WEBP": rb"RIFF....WEBP",
    "a camera's raw picture": rb"(II\*\0....CR|FUJIFILM|IIU\0|IIRO|MMOR|....ftypcrx )",
    "TIFF": rb"(II[*+]\0|MM\0[*+]|II\0\*|MM\*\0)",
    "AVIF": rb"....ftypavi[fs]",
    "HEIF": rb"....ftyp(hei[cxms]|hev[cx]|mif1|msf1)",
    "PPM": rb"P[1-6]\s",
    "JPEG XL": rb"(\xff\x0a|\0\0\0\x0cJXL )",
    "JPEG 2000": rb"(\0\0\0\x0cjP  |\xff\x4f\xff\x51)",
    "a Photoshop picture": rb"8BPS",
    "an icon": rb"\0\0[\x01\x02]\0.\0",
    "DICOM": rb".{128}DICM",
    "OpenEXR": rb"\x76\x2f\x31\x01",
    "a DDS texture": rb"DDS ",
    "a PDF": rb"%PDF",
    "a PostScript file": rb"%!PS",
    "a video": rb"(....ftyp|....moov|....mdat|\x1aE\xdf\xa3|RIFF....AVI |\0\0\x01[\xb3\xba]|FLV)",
    "a sound": rb"(ID3|RIFF....WAVE|OggS|fLaC)",
    "a zip": rb"PK(\x03\x04|\x05\x06)",
    "a tar": rb".{257}ustar",
    "a gzip archive": rb"\x1f\x8b",
    "an archive that must be unpacked first": rb"(7z\xbc\xaf|Rar!|\xfd7zXZ|BZh|\x28\xb5\x2f\xfd)",
    "an HDF5 file": rb"\x89HDF",
    "a NumPy array": rb"\x93NUMPY",
    "a Parquet file": rb"PAR1",
    "a database": rb"SQLite format 3",
    "a MATLAB file": rb"MATLAB ",
    "a note of macOS about another file": rb"\0\x05\x16\x07",
    "a list of thumbnails or an Office document": rb"\xd0\xcf\x11\xe0",
    "SVG": rb"(?i:(\xef\xbb\xbf)?\s*(<\?xml.*)?(<!--.*-->\s*)?(<!DOCTYPE svg.*)?<svg)",
    "a web page": rb"(?i:(\xef\xbb\xbf)?\s*(<!--.*-->\s*)?<(!doctype html|html|head|body))",
    "XML": rb"(\xef\xbb\xbf)?\s*<\?xml",
}  # fmt: skip
# The picture types that are not readable.
OTHER_PICTURES = (
    "JPEG XL", "JPEG 2000", "SVG", "a camera's raw picture", "a Photoshop picture", "OpenEXR",
)  # fmt: skip
# Brands that HEIC and AVIF share; the compatible brands distinguish the two.
GENERAL_BRANDS = (b"mif1", b"msf1")


def file_type_of(beginning: bytes) -> str | None:
    """Return the type of a file by its `beginning`: one of `FORMATS` or words, "a PDF"; or None."""
    beginning = beginning[:BEGINNING]
    # Compiled when first tried: the prediction of a JPEG need not wait for all patterns.
    matches = (kind for kind, p in BEGINNINGS.items() if re.match(p, beginning, re.DOTALL))
    kind = next(matches, None)
    if kind == "HEIF" and beginning[8:12] in GENERAL_BRANDS:
        brands = beginning[16 : int.from_bytes(beginning[:4], "big")]
        return "AVIF" if b"avif" in brands or b"avis" in brands else kind
    if kind is None and not beginning.strip(b"\0"):
        return "all zeros" if beginning else "empty"
    if kind is None and _is_text(beginning):
        return "text"
    return kind


def file_type(path: str | Path) -> str | None:
    """Return the type of the regular file `path`, as `file_type_of`; None if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file_type_of(file.read(BEGINNING))
    except OSError:
        return None


def is_meant_as_picture(path: str | Path) -> bool:
    """Tell whether the file `path` is a picture by its content, or claims to be by its name; if
    that is wrong, its reader reports it."""
    if os.path.splitext(path)[1].lower() in SUFFIXES:
        return True
    kind = file_type(path)
    return kind in FORMATS or kind in OTHER_PICTURES


def _is_text(beginning: bytes) -> bool:
    try:
        beginning[:-4].decode()  # the last character may be cut off
    except UnicodeDecodeError:
        return False
    return not re.search(rb"[\0-\x08\x0e-\x1f]", beginning)
