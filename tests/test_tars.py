"""Tars from strangers: as safe as zips."""

import gzip
import io
import tarfile
import tracemalloc

import pytest

from alexnet_tf.data.dataset import open_dataset
from alexnet_tf.data.sources.listing import UNPACKED_FOLDER
from alexnet_tf.data.sources.tar_archives import unpack_tar
from alexnet_tf.data.sources.zip_archives import UnpackLimits
from alexnet_tf.errors import UserError
from tests.support.pictures import classes


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, *members, mode="w:gz"):
    """Write a tar of TarInfo or names, each with a byte of content."""
    with tarfile.open(path, mode) as file:
        for member in members:
            if isinstance(member, str):
                member = tarfile.TarInfo(member)
                member.size = 1
            content = io.BytesIO(b"x" * member.size) if member.isreg() else None
            file.addfile(member, content)
    return path


def special(kind, name="a/x.jpg", target="/etc/passwd"):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize("name", ["photos.tar", "photos.tar.gz", "photos.tgz", "photos"])
@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_tar_of_a_folder_for_each_class_is_unpacked_once(here, name, format):
    long = "tulip" + 20 * "s"
    classes(here / ("deep" * 30) / "photos", "aster", long, count=10)
    mode = "w" if name.endswith(".tar") else "w:gz"
    with tarfile.open(name, mode, format=format) as file:
        file.add("deep" * 30)
    dataset = open_dataset(name)
    assert dataset.classes == ("aster", long)
    assert [len(dataset.train), len(dataset.validation)] == [16, 4]
    (folder,) = UNPACKED_FOLDER.iterdir()
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert open_dataset(name) == dataset
    assert times == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ("/etc/x.jpg", "points out"),
        ("../x.jpg", "points out"),
        ("a/../../x.jpg", "points out"),
        ("C:/x.jpg", "points out"),
        (r"cats\x.jpg", "has a backslash in its name"),
        ("train.zip", "is an archive itself"),
        ("x" * 300 + ".jpg", "has too long a name"),
        (special(tarfile.SYMTYPE), "is a link or a device"),
        (special(tarfile.LNKTYPE), "is a link or a device"),
        (special(tarfile.CHRTYPE), "is a link or a device"),
        (special(tarfile.FIFOTYPE), "is a link or a device"),
        (special(tarfile.SYMTYPE, "a", ".."), "is a link or a device"),
    ],
)
def test_a_harmful_member_is_named_and_nothing_is_unpacked(here, member, reason):
    write(here / "a.tgz", "good/1.jpg", member)
    with pytest.raises(UserError, match=rf"a\.tgz: refused, for its member .* {reason}"):
        open_dataset("a.tgz")
    assert not UNPACKED_FOLDER.exists() and not (here / "x.jpg").exists()


def test_a_name_is_taken_once(here):
    with pytest.raises(UserError, match=r"has .a/1\.jpg. more than once"):
        open_dataset(write(here / "a.tgz", "a/1.jpg", "a/1.jpg"))


def test_the_limits_can_be_set(here):
    write(here / "a.tgz", *(f"a/{number}.jpg" for number in range(20)))
    with pytest.raises(UserError, match=r"more than 19 files.*--max-files"):
        unpack_tar(here / "a.tgz", here / "into", UnpackLimits(files=19))
    with pytest.raises(UserError, match=r"20 bytes, more than 19.*--max-bytes"):
        unpack_tar(here / "a.tgz", here / "into", UnpackLimits(bytes=19))
    assert (
        len(list(unpack_tar(here / "a.tgz", here / "into", UnpackLimits(20, 20)).rglob("*.jpg")))
        == 20
    )


@pytest.mark.parametrize("size", [1 << 40, -512])
def test_headers_may_promise_anything(here, size):
    member = tarfile.TarInfo("a/x.jpg")
    member.size = size
    (here / "x.tgz").write_bytes(gzip.compress(member.tobuf(tarfile.GNU_FORMAT)))
    with pytest.raises(UserError, match=r"x\.tgz: (refused, for it unpacks|is not a whole)"):
        open_dataset("x.tgz")


def test_a_name_of_a_gigabyte_takes_little_memory(here):
    """GNU's way to write long names, and pax's, are read in one piece."""
    for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE):
        header = tarfile.TarInfo("x")
        header.type, header.size = kind, 1 << 30
        with gzip.open(here / "x.tgz", "wb", compresslevel=1) as file:
            file.write(header.tobuf(tarfile.GNU_FORMAT))
            for _ in range(64):
                file.write(bytes(1 << 20))
        tracemalloc.start()
        with pytest.raises(UserError, match=r"is not a whole .*a header is too long"):
            open_dataset("x.tgz")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 4 << 20


def test_damage_anywhere_is_a_sentence_or_harmless(here):
    classes(here / "photos", "aster", "tulip")
    with tarfile.open("whole.tgz", "w:gz") as file:
        file.add("photos")
    whole = (here / "whole.tgz").read_bytes()
    plain = bytearray(gzip.decompress(whole))
    damaged = [whole[: len(whole) * part // 20] for part in range(20)]
    for place in range(0, 2 * 512, 9):
        plain[place] ^= 0x41
        damaged.append(gzip.compress(bytes(plain), 1))
        plain[place] ^= 0x41
    for number, content in enumerate(damaged):
        (here / "a.tgz").write_bytes(content)
        try:
            unpack_tar(here / "a.tgz", here / "into" / str(number))
        except UserError as error:
            assert str(error).startswith(f"{here}/a.tgz: ") and "\n" not in str(error)
    assert {path.name for path in here.iterdir()} <= {"photos", "whole.tgz", "a.tgz", "into"}
