"""Memory-mapped files: only the parts that are used are read, and nothing is copied."""

import mmap
import zipfile
import zlib
from pathlib import Path

from alexnet_tf.errors import BadFile
from alexnet_tf.system.zips import open_zip

# The size of the fixed part of a zip's local file header (PKWARE's APPNOTE, section 4.3.7). Its
# last four bytes are the lengths of the name and the extra field, which follow it and precede the
# data.
LOCAL_HEADER = 30
# PyTorch writes the most members, one for each kernel and bias and a few of its own.
MOST_MEMBERS = 1000


def map_file(path: Path) -> mmap.mmap:
    """Map the file `path`, readable as a file and as a buffer; ValueError if it is empty."""
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def member_names(path: Path) -> list[str]:
    """List the names of the members of the zip `path`."""
    with open_zip(path, MOST_MEMBERS) as archive:
        return archive.namelist()


def map_members(path: Path) -> dict[str, memoryview]:
    """Map the members of the zip `path`, by name; BadFile unless intact and uncompressed."""
    content = memoryview(map_file(path))
    with open_zip(path, MOST_MEMBERS) as archive:
        members = archive.infolist()
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED:
            raise BadFile(
                f"its member {member.filename} is compressed, and weights are read where they lie; "
                "write it without compression (numpy.savez, not savez_compressed)"
            )
    # Otherwise a million members that each span the whole file would take a million times as long.
    if sum(member.file_size for member in members) > len(content):
        raise BadFile("is damaged: its members overlap or reach beyond its end")
    return {member.filename: _map_member(content, member) for member in members}


def _map_member(content: memoryview, member: zipfile.ZipInfo) -> memoryview:
    header = content[member.header_offset :][:LOCAL_HEADER]
    name, extra = (int.from_bytes(header[start : start + 2], "little") for start in (26, 28))
    data = content[member.header_offset + LOCAL_HEADER + name + extra :][: member.file_size]
    if zlib.crc32(data) != member.CRC:
        raise BadFile(f"is damaged: its member {member.filename} is not what was written")
    return data
