"""A query exported from SQLite and from a PostgreSQL that the test starts: all rows, equal bytes, resumed, secrets nowhere.

Needs the JDBC drivers (Debian: libpostgresql-jdbc-java, libxerial-sqlite-jdbc-java) in /usr/share/java or $GRISTMILL_JDBC, and for
PostgreSQL its server (Debian: postgresql).
"""

import os
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from corpus.errors import InputError, ResumeError
from corpus.sources.database import MANIFEST, STATE, Query, export
from corpus.sources.tables import ParquetSource
from corpus.storage import locate
from tests.corpus.sources.reading import read

ROWS = [(number, f"Note {number} über “everything”, 合同.", "no" if number % 2 else "yes") for number in range(1, 201) if number % 7]


def jar(name: str) -> str:
    for folder in (os.environ.get("GRISTMILL_JDBC", ""), "/usr/share/java"):
        path = Path(folder or "/nowhere") / name
        if path.exists():
            return str(path)
    pytest.skip(f"no JDBC driver {name}: apt install libpostgresql-jdbc-java libxerial-sqlite-jdbc-java, or set GRISTMILL_JDBC")


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    path = tmp_path / "notes.db"
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, secrecy TEXT)")
        made.executemany("INSERT INTO notes VALUES (?, ?, ?)", ROWS)
    return f"jdbc:sqlite:{path}"


@pytest.fixture
def postgres(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server of the test's own, on a free port of this machine."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(shutil.which("initdb") or "/nowhere")]
    if not found[-1].exists():
        pytest.skip("no PostgreSQL server: apt install postgresql")
    folder = tmp_path / "pg"
    folder.mkdir()
    user = []
    if os.geteuid() == 0:  # the server refuses to run as root
        shutil.chown(folder, "postgres")
        for above in (tmp_path, *takewhile(lambda folder: folder.name.startswith(("pytest-", "popen-")), tmp_path.parents)):
            above.chmod(0o755)
        user = ["runuser", "-u", "postgres", "--"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    secret = folder / "secret"
    secret.write_text("s3cret-word\n")
    secret.chmod(0o644)
    bin_ = found[-1].parent
    subprocess.run(
        [*user, bin_ / "initdb", "-D", folder / "data", "-U", "reader", "-A", "scram-sha-256", f"--pwfile={secret}", "-EUTF8", "-N"],
        check=True, capture_output=True,
    )  # fmt: skip
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    subprocess.run(
        [*user, bin_ / "pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log", "-o", options, "start"], check=True, capture_output=True
    )
    try:
        values = ",".join(f"({number}, '{body}', '{secrecy}')" for number, body, secrecy in ROWS)
        sql = f"CREATE TABLE notes (id bigint PRIMARY KEY, body text, secrecy text); INSERT INTO notes VALUES {values}"
        environment = {**os.environ, "PGPASSWORD": "s3cret-word"}
        where = ["-h", "127.0.0.1", "-p", str(port), "-U", "reader", "-d", "postgres"]
        subprocess.run([bin_ / "psql", *where, "-q", "-c", sql], check=True, env=environment, capture_output=True)
        monkeypatch.setenv("GRISTMILL_DB_USER", "reader")
        monkeypatch.setenv("GRISTMILL_DB_PASSWORD", "s3cret-word")
        yield f"jdbc:postgresql://127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*user, bin_ / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop"], capture_output=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def exported(spark: SparkSession, url: str, folder: Path, driver: str) -> dict[str, bytes]:
    assert export(spark, Query(url=url, query="SELECT * FROM notes", key="id", parts=3), locate(str(folder)), driver) == len(ROWS)
    return contents(folder)


def test_sqlite_all_rows_resumed_to_the_same_bytes(spark: SparkSession, sqlite: str, tmp_path: Path) -> None:
    driver = jar("xerial-sqlite-jdbc.jar")
    whole = exported(spark, sqlite, tmp_path / "a", driver)
    assert [row for name in sorted(whole) if name.startswith("part") for row in pq.read_table(tmp_path / "a" / name).to_pylist()] == [
        {"id": number, "body": body, "secrecy": secrecy} for number, body, secrecy in ROWS
    ]
    for name in (MANIFEST, "part-00001.parquet"):  # what a kill leaves: the other parts, and the bounds
        (tmp_path / "a" / name).unlink()
    assert exported(spark, sqlite, tmp_path / "a", driver) == whole
    source = ParquetSource(text_field="body", label_fields={"confidential": "secrecy"})
    rows, _ = read(tmp_path / "a" / "part-00000.parquet", source)
    assert (rows[0]["text"], dict(rows[0]["labels"])) == (ROWS[0][1], {"confidential": "no"})
    with pytest.raises(ResumeError, match="another query"):
        export(spark, Query(url=sqlite, query="SELECT * FROM notes WHERE id > 5", key="id"), locate(str(tmp_path / "a")), driver)
    with pytest.raises(InputError, match="refuses.*no_such_table"):
        export(spark, Query(url=sqlite, query="SELECT * FROM no_such_table", key="id"), locate(str(tmp_path / "c")), driver)


def test_postgresql(spark: SparkSession, postgres: str, tmp_path: Path) -> None:
    driver = jar("postgresql.jar")
    whole = exported(spark, postgres, tmp_path / "a", driver)
    rows = [row for name in sorted(whole) if name.startswith("part") for row in pq.read_table(tmp_path / "a" / name).to_pylist()]
    assert [(row["id"], row["body"], row["secrecy"]) for row in rows] == ROWS
    assert not any(b"s3cret-word" in data for data in whole.values())
    assert set(whole) == {MANIFEST, STATE, "part-00000.parquet", "part-00001.parquet", "part-00002.parquet"}


def test_no_password_in_an_address() -> None:
    for url in ("jdbc:postgresql://h/d?user=a&password=s3cret", "jdbc:postgresql://joe:s3cret@h/d"):
        with pytest.raises(InputError) as told:
            Query(url=url, query="SELECT 1", key="id")
        assert "s3cret" not in str(told.value)
