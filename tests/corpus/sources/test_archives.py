"""Our reader of tar against Python's: the same files, in every format, compressed or not, and by any splits."""

import gzip
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.archives import Bounds, Seekable, TarReader, gunzip, members, safe_path
from corpus.sources.source import ReadLog

NAMES = st.text("abcé/.", min_size=1, max_size=30).filter(lambda name: name.strip("/.") != "")


def packed(files: dict[str, bytes], form: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def by_tarfile(content: bytes) -> list[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return [(member.name, archive.extractfile(member).read()) for member in archive if member.isfile()]  # type: ignore[union-attr]


@given(
    st.dictionaries(
        st.builds(lambda name, times: (name + "/") * times + "x", NAMES, st.integers(1, 12)), st.binary(max_size=1500), max_size=6
    ),
    st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    st.booleans(),
)
def test_members_equal_tarfile(files: dict[str, bytes], form: int, compressed: bool) -> None:
    if form == tarfile.USTAR_FORMAT:
        files = {name: content for name, content in files.items() if len(name.encode()) < 100}
    content = packed(files, form)
    log = ReadLog()
    stream = io.BytesIO(gzip.compress(content) if compressed else content)
    found = [(member.path.rstrip("/"), member.content) for member in members(stream, "a", Bounds(), log)]
    assert found == by_tarfile(content)
    assert log.damages == []


@given(st.lists(st.binary(max_size=1500), min_size=1, max_size=8), st.integers(1, 4000))
def test_splits_give_every_member_once_and_meet(contents: list[bytes], split_bytes: int) -> None:
    content = packed({f"{at}.bin": each for at, each in enumerate(contents)}, tarfile.USTAR_FORMAT)
    found, at = [], None
    for start in range(0, len(content), split_bytes):
        reader = TarReader(Seekable(io.BytesIO(content)), "a", Bounds(), ReadLog())
        found += [member.content for member in reader.members(start, start + split_bytes, exact=start == 0)]
        if reader.first is not None:
            assert at in (None, reader.first)
            at = reader.next
    assert found == contents


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("a/b.py", "a/b.py"), ("./a//b", "a/b"), ("a/../b", "b"), ("../a", None), ("a/../../b", None), ("/a", None), 
        ("C:\\a", None), ("..\\a", None), ("~/a", None), (".", None),
    ],
)  # fmt: skip
def test_paths(path: str, safe: str | None) -> None:
    assert safe_path(path) == safe


@pytest.mark.parametrize("cut", [512, 1536, 3000, 3072, 3100])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_tar_without_its_end_is_told(cut: int, compressed: bool) -> None:
    """Cut anywhere, between two members too; a whole one ends with zeros."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for number in range(3):
            info = tarfile.TarInfo(str(number))
            info.size = 500
            archive.addfile(info, io.BytesIO(b"x" * 500))
    for size, damages in ((len(out.getvalue()), 0), (cut, 1)):
        content, log = out.getvalue()[:size], ReadLog()
        found = list(members(io.BytesIO(gzip.compress(content) if compressed else content), "a.tar", Bounds(), log))
        assert len(found) == min(3, (size + 12) // 1024)
        assert len(log.damages) == damages


def test_gunzip_is_bounded() -> None:
    assert gunzip(gzip.compress(b"x" * 1000), 1000) == (b"x" * 1000, True)
    assert gunzip(gzip.compress(bytes(10**7)), 10**6) == (None, True)
    found, is_whole = gunzip(gzip.compress(b"abc" * 1000)[:-12], 10**6)
    assert found is not None
    assert not is_whole
