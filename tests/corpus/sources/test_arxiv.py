"""Papers packed by Python's tarfile as arXiv packs them; hostile archives; every paper once, whatever the splits."""

import gzip
import io
import json
import random
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import AssetError
from corpus.sources.arxiv import ArxivSource, arxiv_number
from tests.corpus.sources.reading import accepts, outcomes, read

TEX = b"\\documentclass{article}\\title{A Paper}\\begin{document}We study rivers. \\input{more}\\end{document}"


def tar(files: Mapping[str, bytes], **fields: object) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def paper(files: Mapping[str, bytes]) -> bytes:
    return gzip.compress(tar(files))


def bulk() -> dict[str, bytes]:
    return {
        "0001/astro-ph0001001.gz": paper({"ms.tex": TEX, "more.tex": b"And seas.", "fig.eps": b"%!PS" + bytes(3000)}),
        "0001/hep-th0001002.gz": gzip.compress(TEX),
        "0001/math0001003.pdf": b"%PDF-1.4 ...",
        "0001/math0001004.gz": gzip.compress(b"%auto-ignore\nThis paper has been withdrawn."),
        "0001/math0001005.gz": gzip.compress(
            b"\\documentclass{a}\\begin{document}This paper has been withdrawn by the author due to an error.\\end{document}"
        ),
        "0001/math0001006.gz": paper({"a.html": b"<p>x</p>"}),
        "0001/math0001007.gz": paper({"a.tex": b"\\documentclass{a}\\begin{document}\\maketitle\\end{document}"}),
        "0001/math0001008.gz": paper({"a.pdf": b"%PDF-1.4"}),
    }


REASONS = ["ok", "ok", "arxiv:pdf_only", "arxiv:withdrawn", "arxiv:withdrawn", "arxiv:no_tex", "arxiv:no_text", "arxiv:pdf_only"]


@pytest.mark.parametrize("split_bytes", [600, 3000, 10**6])
def test_a_bulk_archive(tmp_path: Path, split_bytes: int) -> None:
    path = tmp_path / "arXiv_src_0001_001.tar"
    path.write_bytes(tar(bulk()))
    assert accepts(path, ArxivSource())
    rows, log = read(path, ArxivSource(split_bytes=split_bytes))
    assert outcomes(rows) == REASONS
    assert [row["text"] for row in rows[:2]] == ["We study rivers. And seas.", "We study rivers."]
    assert rows[0]["url"] == "https://arxiv.org/abs/astro-ph/0001001"
    assert rows[0]["title"] == "A Paper"
    assert log.records == {"latex:input_missing": 1}


def test_metadata(tmp_path: Path) -> None:
    lines = [
        {"id": "0704.0001", "title": "Another", "license": None},
        {"id": "1911.02782", "title": "A\n  better title", "categories": "cs.CL cs.DL", "license": "http://creativecommons.org/licenses/by/4.0/",
         "versions": [{"version": "v1", "created": "Thu, 7 Nov 2019 10:00:00 GMT"}]},
        {"id": "2004.14974", "license": "http://arxiv.org/licenses/nonexclusive-distrib/1.0/", "update_date": "2020-10-05"},
    ]  # fmt: skip
    metadata = tmp_path / "metadata.json"
    metadata.write_text("".join(json.dumps(line) + "\n" for line in lines))
    source = ArxivSource(metadata=str(metadata))
    for name in ("1911.02782.gz", "2004.14974v2.tar.gz", "2005.00001.gz"):
        (tmp_path / name).write_bytes(paper({"a.tex": TEX}))
    [first] = read(tmp_path / "1911.02782.gz", source)[0]
    assert (first["title"], first["license"], first["labels"]) == ("A better title", "CC-BY-4.0", [("categories", "cs.CL cs.DL")])
    assert str(first["date"]) == "2019-11-07 10:00:00+00:00"
    [second] = read(tmp_path / "2004.14974v2.tar.gz", source)[0]
    assert (second["license"], second["title"]) == ("LicenseRef-arXiv-nonexclusive-distrib", "A Paper")
    [third] = read(tmp_path / "2005.00001.gz", source)[0]
    assert third["license"] is None
    assert source.assets() == (str(metadata),)
    with pytest.raises(AssetError, match="cannot read arXiv's metadata"):
        read(tmp_path / "1911.02782.gz", ArxivSource(metadata=str(tmp_path / "none")))


def test_hostile_archives(tmp_path: Path) -> None:
    evil = {
        "../../etc/cron.d/x": b"root",
        "/etc/passwd": b"root",
        "a/../../../b.tex": b"x",
        "main.tex": TEX.replace(b"more", b"../../etc/cron.d/x"),
        "nested.tar.gz": paper({"main.tex": b"\\documentclass{b}\\begin{document}Inner.\\end{document}"}),
    }
    content = io.BytesIO(tar(evil))
    with tarfile.open(fileobj=content, mode="a") as archive:
        link = tarfile.TarInfo("more.tex")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    path = tmp_path / "2101.00001.gz"
    path.write_bytes(gzip.compress(content.getvalue()))
    [row], log = read(path, ArxivSource())
    assert row["text"] == "We study rivers."
    assert log.records == {"archive:unsafe_path": 3, "archive:link_or_device": 1, "latex:input_refused": 1}
    assert not (tmp_path.parent / "etc").exists()


def test_bombs(tmp_path: Path) -> None:
    zeros = bytes(50_000_000)
    bombs = {
        "2101.00001.gz": gzip.compress(zeros),
        "2101.00002.gz": gzip.compress(tar({"a.tex": zeros, "main.tex": TEX})),
        "2101.00003.gz": gzip.compress(tar({f"{at}.tex": zeros[:1000] for at in range(10_001)})),
        "2101.00004.gz": gzip.compress(gzip.compress(zeros)),
    }
    found = []
    for name, content in bombs.items():
        (tmp_path / name).write_bytes(content)
        found += outcomes(read(tmp_path / name, ArxivSource(max_file_bytes=10**6, max_source_bytes=10**8))[0])
    assert found == ["arxiv:too_large", "ok", "arxiv:too_large", "arxiv:no_tex"]
    path = tmp_path / "2101.00002.gz"
    assert outcomes(read(path, ArxivSource(max_source_bytes=10**6))[0]) == ["arxiv:too_large"]
    assert outcomes(read(path, ArxivSource(max_packed_bytes=10))[0]) == ["arxiv:too_large"]


@given(data=st.data())
def test_damaged_bytes_never_raise(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    is_bulk = data.draw(st.booleans())
    plain = bytearray(tar(bulk()) if is_bulk else tar({"a.tex": TEX, "more.tex": b"x"}))
    for content in [plain]:
        for _ in range(data.draw(st.integers(0, 4))):
            at = data.draw(st.integers(0, len(content) - 1))
            content[at : at + data.draw(st.integers(0, 600))] = data.draw(st.binary(max_size=9))
    packed = plain if is_bulk else bytearray(gzip.compress(plain))
    if not is_bulk and data.draw(st.booleans()):
        del packed[data.draw(st.integers(0, len(packed))) :]
    path = tmp_path_factory.mktemp("arxiv") / ("arXiv_src.tar" if is_bulk else "2101.00001.gz")
    path.write_bytes(packed)
    accepts(path, ArxivSource())
    rows, _ = read(path, ArxivSource(split_bytes=2000))
    assert all((row["text"] is None) == bool(row["failed"]) for row in rows)


def test_a_damaged_header_costs_one_paper(tmp_path: Path) -> None:
    content = bytearray(tar(bulk()))
    content[content.index(b"0001/hep-th0001002")] ^= 1
    path = tmp_path / "arXiv_src.tar"
    path.write_bytes(content)
    rows, log = read(path, ArxivSource())
    assert outcomes(rows) == [REASONS[0], *REASONS[2:]]
    assert [damage.what for damage in log.damages] == ["tar:bad_header"]


@pytest.mark.parametrize("packed", [gzip.compress(TEX * 50), paper({"ms.tex": TEX, "z.eps": random.Random(1).randbytes(5000)})])
def test_a_paper_that_is_cut_off_is_among_the_damages(tmp_path: Path, packed: bytes) -> None:
    path = tmp_path / "arXiv_src.tar"
    path.write_bytes(tar({"0001/math0001001.gz": packed[:-20], "0001/math0001002.gz": packed}))
    rows, log = read(path, ArxivSource())
    assert outcomes(rows) == ["ok", "ok"]
    assert [damage.offset for damage in log.damages] == [0]


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("0001/astro-ph0001001.gz", "astro-ph/0001001"),
        ("1911/1911.02782v2.gz", "1911.02782"),
        ("math.AG_0309136.gz", "math.AG/0309136"),
        ("notes.gz", None),
    ],
)
def test_numbers(path: str, number: str | None) -> None:
    assert arxiv_number(path) == number


def test_real_papers(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("lm-text") / "allenai__s2orc-doc2json" / "latex"
    told = {
        "1911.02782.gz": ("S2ORC: The Semantic Scholar Open Research Corpus", 36_000),
        "2004.14974.gz": ("Fact or Fiction: Verifying Scientific Claims", 39_000),
    }
    for name, (title, characters) in told.items():
        assert accepts(folder / name, ArxivSource())
        [row], log = read(folder / name, ArxivSource())
        assert (row["title"], log.damages) == (title, [])
        assert len(row["text"]) > characters
        for left in ("\\cite", "\\begin{table", "\\section", "\\bibitem", "\n%"):
            assert left not in row["text"]
