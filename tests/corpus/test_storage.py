"""Object stores that fail: a read gives the bytes that were written or an error, never half of them; nor does a write."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from corpus.storage import Place, locate
from tests.faults import BUCKET, Fault, faulty_store, in_this_process

BODY = b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(20_000))  # 640 kB


def once(method: str, part: str, fault: Fault) -> Callable[[str, str, int], Fault]:
    """The first request of the method for a path with this part gets the fault."""
    met: list[str] = []

    def plan(asked: str, path: str, number: int) -> Fault:
        if asked == method and part in path and not met:
            met.append(path)
            return fault
        return None

    return plan


@pytest.mark.parametrize("fault", [500, 503, "slow", "truncate", "reset"])
def test_a_read(fault: Fault) -> None:
    with faulty_store(once("GET", "/a.bin", fault)) as store, in_this_process(store.settings):
        store.put("a.bin", BODY)
        try:
            read = locate(f"s3://{BUCKET}/a.bin").read_bytes()
        except OSError:
            read = BODY  # then a task is tried again
        assert read == BODY
        assert [each[2] for each in store.given] == [fault]


@pytest.mark.parametrize("fault", [500, 503, "slow", "reset"])
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_write(method: str, fault: Fault) -> None:
    """It is there whole or not at all, whichever request of the upload failed."""
    with faulty_store(once(method, "a.bin", fault)) as store, in_this_process(store.settings):
        try:
            locate(f"s3://{BUCKET}/folder/a.bin").write_bytes(BODY)
            assert store.get("folder/a.bin") == BODY
        except OSError:
            assert "folder/a.bin" not in store.listed()
        assert {each[2] for each in store.given} <= {fault}


def break_off(place: Place) -> None:
    with place.replace() as stream:
        stream.write(BODY)
        raise ZeroDivisionError


def test_a_write_that_breaks_off() -> None:
    with faulty_store(lambda *_: None) as store, in_this_process(store.settings):
        place = locate(f"s3://{BUCKET}/folder/a.bin")
        with pytest.raises(ZeroDivisionError):
            break_off(place)
        assert [key for key in store.listed() if not key.endswith("/")] == []
        place.write_bytes(b"old")
        with pytest.raises(ZeroDivisionError):
            break_off(place)
        assert store.get("folder/a.bin") == b"old"


def test_a_local_write_that_breaks_off(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "a.bin"))
    place.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError):
        break_off(place)
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    assert place.read_bytes() == b"old"
