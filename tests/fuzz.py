"""All property tests, each for its share of a time, with new random examples: what ``make fuzz`` runs.

A property is run again and again, 100 examples a time, until its share is used up; what quick ones leave, the later ones get. A failing
input is printed as the call that fails: write it above the property as ``@example(…)``, and every ``make test`` tries it.

    python -m tests.fuzz --minutes 10 [pytest's arguments]
"""

import argparse
import functools
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest


class Fuzz:
    """A plugin for pytest: gives each property its share, and counts."""

    def __init__(self, seconds: float):
        self._left_seconds = seconds
        self._waiting = 0
        self.examples: Counter[str] = Counter()
        self.failures: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._waiting = len(session.items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool:
        count = _counting(pyfuncitem, self.examples)
        share = self._left_seconds / max(1, self._waiting)
        arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
        started = time.monotonic()
        try:
            while True:
                pyfuncitem.obj(**arguments)
                if time.monotonic() - started >= share:
                    return True
        finally:
            count()
            self._left_seconds = max(0.0, self._left_seconds - (time.monotonic() - started))
            self._waiting -= 1

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failures.append(report.nodeid)


def _counting(item: pytest.Function, examples: Counter[str]) -> Callable[[], None]:
    """Count the calls of the test's body in ``examples``, until the function that is returned is called."""
    handle: Any = item.function.hypothesis  # type: ignore[attr-defined]
    body = handle.inner_test

    @functools.wraps(body)
    def counted(*arguments: Any, **named: Any) -> Any:
        examples[item.nodeid] += 1
        return body(*arguments, **named)

    def restore() -> None:
        handle.inner_test = body

    handle.inner_test = counted
    return restore


def main() -> int:
    options = argparse.ArgumentParser(prog="tests.fuzz")
    options.add_argument("--minutes", type=float, default=10)
    given, rest = options.parse_known_args()
    fuzz = Fuzz(60 * given.minutes)
    status = pytest.main(["--hypothesis-profile=fuzz", "-m", "hypothesis", "-p", "no:cacheprovider", *rest], plugins=[fuzz])
    for name, count in sorted(fuzz.examples.items(), key=lambda pair: (pair[1], pair[0])):
        print(f"{count:9,}  {name}")
    print(f"fuzz: {len(fuzz.examples)} properties, {sum(fuzz.examples.values()):,} examples, {len(fuzz.failures)} failures")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
