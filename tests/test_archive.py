"""Zips from strangers."""

import hashlib
import io
import itertools
import random
import shutil
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from alexnet_tf.data.sources.zip_archives import UnpackLimits, check_size, harm, unpack
from alexnet_tf.errors import UserError
from tests.support.memory import peak_of


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, members, compression=zipfile.ZIP_STORED):
    """Write a zip of (name or ZipInfo, content) pairs."""
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def special(name, mode):
    member = zipfile.ZipInfo(name)
    member.create_system = 3  # Unix
    member.external_attr = mode << 16
    return member


def patched(path, *changes):
    """Replace bytes of the zip, at offsets from the start of its table of contents."""
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\x01\x02")
    for offset, replacement in changes:
        content[start + offset : start + offset + len(replacement)] = replacement
    path.write_bytes(content)
    return path


def assert_refused(here, path, message, limits=None):
    before = sorted(here.rglob("*"))
    with pytest.raises(UserError, match=message) as error:
        unpack(path, here / "into", limits or UnpackLimits())
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)
    left = [found for found in sorted(here.rglob("*")) if found not in before]
    assert left in ([], [here / "into"])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/x.jpg", "points out"),
        ("../x.jpg", "points out"),
        ("a/../../x.jpg", "points out"),
        ("a/..", "points out"),
        ("../", "points out"),
        (r"..\x.jpg", "points out"),
        (r"cats\x.jpg", "has a backslash in its name, as old programs on Windows write"),
        ("C:x.jpg", "points out"),
        ("C:/x.jpg", "points out"),
        ("//server/share/x.jpg", "points out"),
        ("x" * 300 + ".jpg", "too long a name"),
        ("a/" * 2000 + "x.jpg", "too long a name"),
        ("train.zip", "'train.zip' is an archive itself; unpack this one yourself and name that"),
        ("deep/photos.TAR", "is an archive itself"),
        (special("x.jpg", stat.S_IFLNK | 0o777), "is a link or a device"),
        (special("x.jpg", stat.S_IFBLK | 0o666), "is a link or a device"),
        (special("x.jpg", stat.S_IFCHR | 0o666), "is a link or a device"),
        (special("x.jpg", stat.S_IFIFO | 0o666), "is a link or a device"),
    ],
)
def test_a_harmful_member_is_named_and_nothing_is_unpacked(here, name, reason):
    path = write(here / "a.zip", [("good.jpg", "x"), (name, "target")])
    assert_refused(here, path, reason)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a.jpg", "a.jpg"), ("a.jpg", "./a.jpg"), ("a", "a/b.jpg")])
def test_a_name_is_taken_once(here, names):
    path = write(here / "a.zip", [(name, name) for name in names])
    assert_refused(here, path, "more than once")


def test_an_encrypted_member_is_refused(here):
    path = patched(write(here / "a.zip", [("a.jpg", "x")]), (8, b"\x01\x00"))
    assert_refused(here, path, r"'a\.jpg' is encrypted")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_without_a_bound_on_memory_are_refused(here, method):
    path = write(here / "a.zip", [("a.jpg", bytes(10_000_000))], method)
    assert_refused(here, path, "compressed in a way that can hide its size")


def test_zeros_that_unpack_to_a_thousand_times_their_size_are_refused(here):
    path = write(here / "a.zip", [("a.jpg", bytes(20 << 20))], zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 21_000
    assert_refused(here, path, "unpack to 20,971,520, more than 200 times as many")


def test_ten_gigabytes_in_ten_kilobytes_are_refused(here):
    path = write(here / "a.zip", [("a.jpg", bytes(10 << 20))], zipfile.ZIP_DEFLATED)
    patched(path, (24, struct.pack("<L", 4_000_000_000)))
    assert_refused(here, path, "unpack to 4,000,000,000")


def test_overlapping_members_are_refused_by_their_sum(here):
    """Fifield 2019: one kernel of zeros that every entry of the table of contents points to."""
    path = write(here / "a.zip", [("a.jpg", bytes(1 << 20))], zipfile.ZIP_DEFLATED)
    content = path.read_bytes()
    start, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    entries = b"".join(
        content[start:end].replace(b"a.jpg", f"{number:05}".encode()) for number in range(10_000)
    )
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 10_000, 10_000, len(entries), start, 0)
    path.write_bytes(content[:start] + entries + tail)
    assert_refused(here, path, "unpack to 10,485,760,000")


def test_a_header_that_lies_about_the_size_writes_no_more_than_it_says(here):
    path = write(here / "a.zip", [("a.jpg", bytes(50 << 20))], zipfile.ZIP_DEFLATED)
    patched(path, (24, struct.pack("<L", 10)))
    assert_refused(here, path, "Bad CRC-32")


def test_the_limits_can_be_set(here):
    path = write(here / "a.zip", [(f"{number}.jpg", bytes(100)) for number in range(20)])
    assert_refused(here, path, "more than 19 files.*--max-files", UnpackLimits(files=19))
    assert_refused(
        here, path, "2,000 bytes, more than 1,999.*--max-bytes", UnpackLimits(bytes=1_999)
    )
    assert len(list(unpack(path, here / "into", UnpackLimits(20, 2_000)).iterdir())) == 20


def test_the_folder_of_a_zip_has_eight_digits_of_its_contents(here):
    """So folders that an earlier version unpacked are found again."""
    with zipfile.ZipFile("photos.zip", "w") as file:
        file.writestr("a.jpg", b"a")
    listed = repr([("a.jpg", 1, 0xE8B7BE43)])  # the CRC-32 of an "a"
    digits = hashlib.sha256(listed.encode()).hexdigest()[:8]
    assert unpack(Path("photos.zip"), here / "into").name == f"photos-{digits}"


def test_unless_told_a_zip_holds_200_000_files_and_100_gigabytes():
    assert UnpackLimits() == UnpackLimits(files=200_000, bytes=107_374_182_400, ratio=200)


@pytest.mark.parametrize(
    ("size", "promised"),
    [(100, 1_048_576), (5_242, 1_048_576), (5_243, 1_048_600), (10_000, 2_000_000)],
)
def test_a_megabyte_is_always_allowed_and_200_times_the_archive(tmp_path, size, promised):
    (tmp_path / "a.zip").write_bytes(bytes(size))
    check_size(tmp_path / "a.zip", promised, UnpackLimits())
    with pytest.raises(UserError, match=rf"its {size:,} bytes unpack to {promised + 1:,}, more"):
        check_size(tmp_path / "a.zip", promised + 1, UnpackLimits())


@pytest.mark.parametrize("letter", ["a", "ä"])
def test_names_are_as_long_as_linux_takes_them_in_bytes(letter):
    each = len(letter.encode())
    name = letter * (255 // each)
    assert harm(name) is None and harm(name + "aa") == "has too long a name"
    path = "/".join(["folder" * 40] * 12 + [letter * (90 // each)])  # 12 × 241 + 90 bytes
    path += "a" * (3000 - len(path.encode()))
    assert harm(path) is None and harm(path + "a") == "has too long a name"


def test_the_verb_has_options_for_the_limits(typed, here):
    write(here / "a.zip", [(f"{number}.jpg", bytes(100)) for number in range(20)])
    result = typed("alexnet_tf", "data", "a.zip", "--max-files", 19, code=2)
    assert "refused, for it holds more than 19 files" in result.stderr


@pytest.mark.parametrize("announced", [1, 65_535])
def test_ten_million_entries_are_refused_in_little_memory(here, announced):
    """Whatever number is announced; zipfile alone would take six gigabytes for them."""
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", *[0] * 18) + b"x"
    entry = entry[:28] + struct.pack("<H", 1) + entry[30:]
    block = entry * 100_000
    with open(here / "a.zip", "wb") as file:
        for _ in range(100):
            file.write(block)
        size = 100 * len(block)
        file.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, announced, announced, size, 0, 0))
    peak = peak_of(lambda: assert_refused(here, here / "a.zip", "more than 200,000 files"))
    assert peak < 150 << 20
    (here / "a.zip").unlink()


def test_as_many_entries_as_fit_are_counted_before_any_is_kept(here):
    path = write(here / "a.zip", [(str(number), b"") for number in range(5_000)])
    assert_refused(here, path, "more than 4,999 files", UnpackLimits(files=4_999))
    assert len(list(unpack(path, here / "into", UnpackLimits(files=5_000)).iterdir())) == 5_000


def test_a_zip_that_is_a_picture_too_gives_its_files_all_the_same(here):
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as file:
        file.writestr("cat/a.jpg", "x")
    (here / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 a JPEG in front" + zipped.getvalue())
    assert (unpack(here / "a.jpg", here / "into") / "cat/a.jpg").read_text() == "x"


def test_damage_anywhere_is_a_sentence_or_harmless(here):
    path = write(here / "a.zip", [("a/1.jpg", bytes(99)), ("b/2.jpg", b"x" * 99)], 8)
    whole, chance = path.read_bytes(), random.Random(0)
    truncated = (whole[:size] for size in range(len(whole)))
    for content in itertools.chain(truncated, (flipped(whole, chance) for _ in range(300))):
        path.write_bytes(content)
        try:
            folder = unpack(path, here / "into")
        except UserError as error:
            assert str(error).startswith(f"{path}: ")
        else:
            assert all(found.is_relative_to(folder) for found in (here / "into").rglob("*/*"))
        shutil.rmtree(here / "into", ignore_errors=True)
        assert [found.name for found in here.iterdir()] == ["a.zip"]


def flipped(content, chance):
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        changed[chance.randrange(len(changed))] = chance.choice((0, 1, 127, 128, 255))
    return bytes(changed)
