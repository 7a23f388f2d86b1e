"""Repositories packed by Python's own writers, checked out, and as a table: licences, languages, what is counted out, hostile archives."""

import gzip
import io
import json
import tarfile
import tokenize
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from importlib import metadata, resources
from pathlib import Path

import nbformat
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from corpus.engine import curate
from corpus.errors import RecipeError
from corpus.extraction.code import comment_share, language_of, notebook_script, source_text
from corpus.extraction.licenses import header, identify
from corpus.fused import DOCUMENTS, LEDGER, run_split
from corpus.recipe import from_data, load
from corpus.sources.github import CodeParquetSource, GithubSource
from corpus.sources.source import Split
from corpus.storage import Place
from tests.corpus.sources.reading import accepts, input_file, outcomes, read
from tests.road import assert_accounted, documents

MIT = resources.files("corpus.resources.licenses").joinpath("MIT.txt").read_text()
APACHE = resources.files("corpus.resources.licenses").joinpath("Apache-2.0.txt").read_text()
FILES: dict[str, bytes] = {
    "mill-1.0/src/wheel.py": b'"""Turns."""\r\nimport os\r\n\r\n\r\ndef turn(times):\r\n\treturn times  # 2024\r\n',
    "mill-1.0/src/main.rs": b"// SPDX-License-Identifier: GPL-3.0-or-later\nfn main() {}\n",
    "mill-1.0/vendor/x/a.go": b"package a\n",
    "mill-1.0/run": b"#!/usr/bin/env python3\nprint(1)\n",
    "mill-1.0/README": b"Only words.",
    "mill-1.0/logo.png": b"\x89PNG\0",
    "mill-1.0/bin.py": b"\0\1\2",
    "mill-1.0/empty.py": b" \n",
    "mill-1.0/large.py": b"x = 1\n" * 200_000,
    "mill-1.0/vendor/x/LICENSE": APACHE.encode(),
    "mill-1.0/LICENSE": b"MIT License\n\nCopyright (c) 2024 A Miller\n\n" + MIT.encode(),
}
EXPECTED = {
    "src/wheel.py": ("ok", "Python", "MIT"),
    "src/main.rs": ("ok", "Rust", "GPL-3.0-or-later"),
    "vendor/x/a.go": ("ok", "Go", "Apache-2.0"),
    "run": ("ok", "Python", "MIT"),
    "bin.py": ("code:binary", "Python", "MIT"),
    "empty.py": ("code:no_text", "Python", "MIT"),
    "large.py": ("code:too_large", "Python", "MIT"),
}


def archive(path: Path, files: Mapping[str, bytes]) -> Path:
    if path.name.endswith((".zip", ".whl")):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in files.items():
                packed.writestr(name, content)
        return path
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w", format=tarfile.PAX_FORMAT) as packed_tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            packed_tar.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("name", ["mill.zip", "mill.whl", "mill.tar.gz", "mill.tar", "mill.tgz"])
def test_archives(tmp_path: Path, name: str) -> None:
    path = archive(tmp_path / name, FILES)
    assert accepts(path, GithubSource())
    rows, log = read(path, GithubSource())
    found = {
        row["title"]: (outcome, dict(row["labels"])["programming_language"], row["license"])
        for row, outcome in zip(rows, outcomes(rows), strict=True)
    }
    assert found == EXPECTED
    assert rows[0]["text"] == '"""Turns."""\nimport os\n\n\ndef turn(times):\n\treturn times  # 2024\n'
    assert rows[0]["labels"] == [("path", "src/wheel.py"), ("programming_language", "Python"), ("repository", "mill-1.0")]
    assert log.records == {"code:other_file": 4}
    assert len({(row["id"], row["origin"]["offset"]) for row in rows}) == len(rows)


def test_a_checked_out_tree(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    root = tmp_path / "mill-1.0"
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_file() and GithubSource().accepts(input_file(path, root), path.read_bytes()[:4096]):
            for row in read(path, GithubSource(), root)[0]:
                found[row["title"]] = (outcomes([row])[0], dict(row["labels"])["programming_language"], row["license"])
                assert dict(row["labels"])["repository"] == "mill-1.0"
    assert found == EXPECTED


def installed() -> list[metadata.Distribution]:
    """Twenty packages of this environment: others' code, under the licences that they state, small enough to be read thrice."""
    found = []
    for each in sorted(metadata.distributions(), key=lambda each: each.metadata["Name"].lower()):
        modules = [file for file in each.files or () if file.suffix == ".py" and "__pycache__" not in file.parts]
        if (
            each.metadata.get("License-Expression")
            and 2 < len(modules) < 20
            and all(Path(str(each.locate_file(file))).exists() for file in modules)
        ):
            found.append(each)
    return found[:20]


def test_twenty_installed_packages_as_wheels_sdists_and_trees(tmp_path: Path) -> None:
    """Each module's text is what Python's own ``tokenize.open`` reads, each licence what the package's metadata states."""
    packages = installed()
    assert len(packages) == 20
    for number, package in enumerate(packages):
        name, license = f"{package.metadata['Name']}-{package.version}", package.metadata.get("License-Expression")
        files = [file for file in package.files or () if ".." not in file.parts and file.suffix in ("", ".py", ".txt", ".md")]
        contents = {str(file): Path(str(package.locate_file(file))).read_bytes() for file in files}
        modules, expected = [path for path in contents if path.endswith(".py")], {}
        for path in modules:
            with tokenize.open(str(package.locate_file(path))) as module:
                expected[path] = module.read()
        told = next(content for path, content in contents.items() if path.endswith(".dist-info/METADATA"))
        wheel = archive(tmp_path / f"{name}-py3-none-any.whl", contents)
        sdist = archive(tmp_path / f"{name}.tar.gz", {f"{name}/PKG-INFO": told} | {f"{name}/{path}": contents[path] for path in modules})
        for path in (wheel, sdist):
            assert accepts(path, GithubSource()), path.name
            rows = {row["title"]: row for row in read(path, GithubSource())[0] if row["title"].endswith(".py")}
            assert {title: row["text"] or "" for title, row in rows.items()} == expected
            assert [title for title, row in rows.items() if row["license"] not in (license, header(row["text"] or ""))] == [], path.name
        root = tmp_path / str(number)
        for path, content in contents.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        for path in modules[:3]:
            [row] = read(root / path, GithubSource(), root)[0]
            assert (row["title"], row["text"] or "", row["license"]) == (path, expected[path], header(expected[path]) or license)


def test_the_recipe_leaves_no_secret_and_no_address(tmp_path: Path) -> None:
    """What stays of a file is code; keys and addresses are gone, what was copied in, generated or packed is a reason."""
    code = "import os\n\n\ndef send(body):\n    # ask {} about it\n    key = '{}'\n    return os.path.join(body, key)\n"
    files = {
        "mill/send.py": code.format("joe.miller@mills.example.org", "AKIAIOSFODNN7EXAMPLE").encode(),
        "mill/vendor/a.py": code.encode(),
        "mill/api_pb2.py": b"# Generated by the protocol buffer compiler.  DO NOT EDIT!\n" + code.encode(),
        "mill/app.min.js": b"var a=1;" * 900,
    }
    path, place = archive(tmp_path / "mill.tar.gz", files), Place(str(tmp_path / "out"))
    run_split(Split(input_file(path), 0, path.stat().st_size, 1), load("code"), place)
    outcomes_of = Counter(row["outcome"] for row in pq.read_table(f"{place.path}/{LEDGER}").to_pylist())
    assert outcomes_of == {None: 1, "code:vendored": 1, "code:generated": 1, "code:minified": 1}
    [row] = pq.read_table(f"{place.path}/{DOCUMENTS}").to_pylist()
    assert row["text"].startswith("import os\n\n\ndef send(body):\n    # ask ")
    assert not [word for word in ("joe.miller", "mills.example", "AKIA") if word in row["text"]]


def test_a_table(tmp_path: Path) -> None:
    path = tmp_path / "files.parquet"
    table = {
        "content": ["fn a() {}\n", "# SPDX-License-Identifier: ISC\nx = 1\n", None, "just words", "y" * 50],
        "path": ["a.rs", "b.py", "c.py", "notes.txt", "d.js"],
        "repo_name": ["o/r", "o/r", "o/r", "o/r", "p/q"],
        "license": ["apache-2.0", "mit", None, "mit", "unknown"],
    }
    pq.write_table(pa.table(table), path)
    assert accepts(path, CodeParquetSource())
    rows, log = read(path, CodeParquetSource(max_file_bytes=40))
    assert [(row["title"], outcome, row["license"]) for row, outcome in zip(rows, outcomes(rows), strict=True)] == [
        ("a.rs", "ok", "Apache-2.0"),
        ("b.py", "ok", "ISC"),
        ("c.py", "code:no_text", None),
        ("d.js", "code:too_large", "unknown"),
    ]
    assert log.records == {"code:other_file": 1}
    pq.write_table(pa.table({"text": ["a"]}), path)
    assert not accepts(path, CodeParquetSource())


def test_hostile_archives(tmp_path: Path) -> None:
    files = {
        "../../evil.py": b"x = 1",
        "/etc/evil.py": b"x = 1",
        "a/../../evil.py": b"x = 1",
        "a/b/../fine.py": b"x = 1\n",
        "inner.zip": b"PK\x03\x04",
    }
    for name in ("a.zip", "a.tar.gz"):
        rows, log = read(archive(tmp_path / name, files), GithubSource())
        assert [row["title"] for row in rows] == ["a/fine.py"]
        assert log.records == {"archive:unsafe_path": 3, "code:other_file": 1}
    bomb = archive(tmp_path / "bomb.zip", {f"{at}.py": bytes(3_000_000) for at in range(9)} | {"z.py": b"x = 1\n"})
    rows, log = read(bomb, GithubSource(max_archive_bytes=2 * 2**20))
    assert log.records["archive:over_the_bounds"] == 1
    assert len(rows) < 9
    (tmp_path / "b.tar.gz").write_bytes(gzip.compress(gzip.compress(bytes(10**6))))
    assert not accepts(tmp_path / "b.tar.gz", GithubSource())


def test_books_and_office_files_are_left_alone(tmp_path: Path) -> None:
    for name in ("[Content_Types].xml", "META-INF/MANIFEST.MF"):
        assert not accepts(archive(tmp_path / "a.zip", {name: b"x"}), GithubSource())


@given(data=st.data())
def test_damaged_bytes_never_raise(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["a.zip", "a.tar", "a.tar.gz"]))
    small = {path: content[:400] for path, content in FILES.items()}
    path = archive(tmp_path_factory.mktemp("code") / name, small)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    path.write_bytes(content)
    accepts(path, GithubSource())
    rows, _ = read(path, GithubSource())
    assert all((row["text"] is None) == bool(row["failed"]) for row in rows)


@pytest.mark.parametrize(
    ("path", "text", "language"),
    [
        ("a.py", "", "Python"),
        ("dir/Makefile", "", "Makefile"),
        ("a.h", "int f(void);", "C"),
        ("a.h", "namespace x {}", "C++"),
        ("a.m", "#import <A.h>\n", "Objective-C"),
        ("a.m", "x = zeros(3);", "MATLAB"),
        ("a.v", "module top(input a);", "Verilog"),
        ("run", "#!/usr/bin/env -S python3 -u\n", "Python"),
        ("run", "#!/bin/bash\n", "Shell"),
        ("run", "words", None),
        ("a.json", "{}", None),
        ("", "", None),
    ],
)
def test_languages(path: str, text: str, language: str | None) -> None:
    assert language_of(path, text) == language


def test_notebooks() -> None:
    made = nbformat.v4.new_notebook()
    made.cells = [
        nbformat.v4.new_markdown_cell("# Title\n\nWords."),
        nbformat.v4.new_code_cell("x = 1\nprint(x)", outputs=[nbformat.v4.new_output("stream", text="secret output")]),
        nbformat.v4.new_code_cell(""),
    ]
    script = notebook_script(nbformat.writes(made))
    assert script == "# # Title\n#\n# Words.\n\nx = 1\nprint(x)"
    assert source_text("a.ipynb", nbformat.writes(made).encode()).language == "Python"
    assert notebook_script(json.dumps({"worksheets": [{"cells": [{"cell_type": "code", "input": ["a\n", "b"]}]}]})) == "a\nb"
    for bad in ("", "[]", "{}", '{"cells": 3}', "[" * 100_000):
        assert notebook_script(bad) is None
    assert notebook_script('{"cells": [1, null, {"source": 3}]}') == "# 3"


def test_comment_shares_by_hand() -> None:
    assert comment_share("# ab\nx=1\n", "Python") == 3 / 6
    assert comment_share('x="#no"\n', "Python") == 0
    assert comment_share('"""doc"""\nx', "Python") == 9 / 10
    assert comment_share('// a\n/* b\nc */ "//" d', "C") == (3 + 6) / (3 + 6 + 4 + 1)
    assert comment_share("x", "Markdown") is None
    assert comment_share("", "C") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("// SPDX-License-Identifier: MIT OR Apache-2.0\n", "MIT OR Apache-2.0"),
        ("/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */", "GPL-2.0-only WITH Linux-syscall-note"),
        ("<!-- SPDX-License-Identifier: CC-BY-4.0 -->", "CC-BY-4.0"),
        ("no header", None),
    ],
)
def test_spdx_headers(text: str, expected: str | None) -> None:
    assert header(text) == expected


def test_licence_texts() -> None:
    assert identify("The MIT License\n\nCopyright 2020 Someone\n\n" + MIT.upper().replace(" ", "\n * ")) == "MIT"
    assert identify(MIT[:200]) is None
    assert identify("") is None


def test_real_licences(shared_data: Callable[[str], Path]) -> None:
    """Of texts under a name that we know most are found; a text with added conditions may pass for what it grew from, rarely."""
    folder = shared_data("dedup") / "google__licenseclassifier" / "License"
    found = {path: identify(path.read_text(errors="replace")) for path in folder.glob("*/*.txt")}
    for name in (
        "MIT",
        "Apache-2.0",
        "GPL-2.0",
        "GPL-3.0",
        "AGPL-3.0",
        "LGPL-2.1",
        "MPL-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "Zlib",
        "BSL-1.0",
        "CC0-1.0",
    ):
        assert name in {told for path, told in found.items() if path.parent.name == name}, name
    wrong = [path for path, told in found.items() if told and told != path.parent.name and not path.parent.name.startswith(told)]
    assert len(wrong) <= 8, wrong


def test_files_of_a_repository_stay_together(spark: SparkSession, tmp_path: Path) -> None:
    """Three repositories of nine files, beside thirty lines of another source, in shards of 400 characters: each repository in one shard,
    side by side and in the order of its archive; without the option the files lie in the order of their ids."""
    inputs = tmp_path / "in"
    inputs.mkdir()
    names = [f"{folder}/{letter}.py" for folder in ("app", "lib", "tests") for letter in "abc"]
    for at, repository in enumerate(("mill", "wheel", "stone")):
        files = {
            f"{repository}/{name}": f"# {repository} {name}\nvalue_{at}_{number} = {number}\n".encode() for number, name in enumerate(names)
        }
        archive(inputs / f"{repository}.tar.gz", files)
    lines = [json.dumps({"id": str(at), "text": f"line number {at} of the notes"}) for at in range(30)]
    (inputs / "notes.jsonl").write_text("\n".join(lines) + "\n")
    data = {"name": "x", "sources": ["jsonl", "github"], "steps": ["segment_words"], "output": {"shard_bytes": 400}}
    for folder, setting in (("apart", "[]"), ("together", "[github]")):
        recipe = from_data(data, overrides=[f"output.together={setting}"])
        curate(recipe, [str(inputs)], str(tmp_path / folder), spark=spark)
        assert_accounted(tmp_path / folder)
    assert sorted(map(str, documents(tmp_path / "together"))) == sorted(map(str, documents(tmp_path / "apart")))
    shards = {path.name: pq.read_table(path).to_pylist() for path in sorted((tmp_path / "together" / "documents").iterdir())}
    assert len(shards) > 3
    for repository in ("mill", "wheel", "stone"):
        (shard,) = [rows for rows in shards.values() if any(row["collection"] == repository for row in rows)]
        at = [number for number, row in enumerate(shard) if row["collection"] == repository]
        assert at == list(range(at[0], at[0] + 9))
        assert [shard[number]["title"] for number in at] == names
    apart = documents(tmp_path / "apart")
    assert [row["id"] for row in apart] == sorted(row["id"] for row in apart)
    with pytest.raises(RecipeError, match="no source of the recipe is called 'githib'"):
        from_data(data, overrides=["output.together=[githib]"])
