"""Lab tests that fail once, twice, or for good: without a lab, each in a run of its own."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

_BEGIN = """
import time
import pytest
from tests.lab.invariants import BrokenInvariantError, must_hold
pytestmark = pytest.mark.lab
made = []

@pytest.fixture(scope="session")
def lab():
    made.append("up")
    yield made
    print("down")

@pytest.fixture
def whole(lab):
    lab.append("whole")
    yield lab
"""
_ONCE = """
def test_{name}(whole):
    print("attempt", whole.count("whole"))
    whole.append("{name}")
    assert whole.count("{name}") > 1, "no answer to {name}"
"""


def _run(pytester: pytest.Pytester, text: str, *options: str) -> pytest.RunResult:
    pytester.makeini(
        "[pytest]\nmarkers = lab: on the lab\nasyncio_mode = auto\n"
        "asyncio_default_fixture_loop_scope = session\nasyncio_default_test_loop_scope = session\n"
    )
    pytester.makepyfile(_BEGIN + text)
    return pytester.runpytest_inprocess("-p", "tests.lab.repeating", "-p", "no:cacheprovider", *options)


def test_one_that_fails_once_is_flaky_and_both_attempts_are_told(pytester: pytest.Pytester) -> None:
    done = _run(pytester, _ONCE.format(name="slow") + "\ndef test_after(whole):\n    assert whole.count('up') == 1\n")
    assert done.ret == 0
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(
        [
            "*FLAKY *test_slow*",
            "*first attempt*",
            "*call failed*",
            "*no answer to slow*",
            "attempt 1",
            "*second attempt*",
            "attempt 2",
            "*1 flaky*",
        ]
    )


def test_two_flaky_ones_fail_the_run(pytester: pytest.Pytester) -> None:
    done = _run(pytester, _ONCE.format(name="slow") + _ONCE.format(name="late"))
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines(["*2 flaky tests: more than 1 fails the run*", "*2 flaky*"])


_BROKEN = {
    "before a chain that leads back to itself": (
        "def test_it(whole):\n    error = OSError()\n    try:\n        must_hold('no row lost', holds=False)\n"
        "    except BrokenInvariantError:\n        raise error from error\n"
    ),
    "in the body": "def test_it(whole):\n    must_hold('no row lost', holds=False)\n",
    "that is caught on the way": (
        "def test_it(whole):\n    try:\n        must_hold('no row lost', holds=False)\n    finally:\n        raise OSError\n"
    ),
    "among others": (
        "def test_it(whole):\n    raise ExceptionGroup('two', [OSError(), BrokenInvariantError('no row lost')])\n"
    ),
    "at its end, after a wait": (
        "@pytest.fixture\ndef load(whole):\n    yield\n    must_hold('no row lost', holds=False)\n"
        "def test_it(load):\n    raise TimeoutError\n"
    ),
}


@pytest.mark.parametrize("text", _BROKEN.values(), ids=_BROKEN)
def test_a_broken_invariant_is_final_at_once(pytester: pytest.Pytester, text: str) -> None:
    done = _run(pytester, text + "\ndef test_counts(lab):\n    assert lab.count('whole') == 1\n")
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    assert "flaky" not in done.stdout.str().lower()
    assert done.parseoutcomes()["passed"] == 1


def test_one_that_fails_twice_is_red_and_tells_of_both(pytester: pytest.Pytester) -> None:
    done = _run(pytester, "def test_it(whole):\n    assert whole.count('whole') > 2, f\"attempt {whole.count('whole')}\"\n")
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*attempt 2*", "*first attempt*", "*attempt 1*"])


def test_what_failed_at_its_end_is_repeated_as_well(pytester: pytest.Pytester) -> None:
    text = "@pytest.fixture\ndef load(whole):\n    yield\n    assert whole.count('whole') > 1, 'does not settle'\n"
    done = _run(pytester, text + "def test_it(load):\n    pass\n")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["*FLAKY*", "*teardown failed*", "*does not settle*", "*1 flaky*"])


def test_a_lab_that_does_not_come_up_is_brought_up_once_more(pytester: pytest.Pytester) -> None:
    text = (
        "@pytest.fixture(scope='session')\ndef other(lab):\n    lab.append('try')\n    raise OSError\n"
        "def test_one(other):\n    pass\ndef test_two(other):\n    pass\n"
        "def test_counts(lab):\n    assert lab.count('try') == 2\n"
    )
    done = _run(pytester, text)
    done.assert_outcomes(passed=1, errors=2)


def test_the_second_attempt_has_the_whole_time_limit(pytester: pytest.Pytester) -> None:
    text = (
        "@pytest.mark.timeout(2)\ndef test_it(whole):\n    time.sleep(5 if whole.count('whole') == 1 else 1.5)\n"
        "@pytest.mark.timeout(2)\ndef test_never(whole):\n    time.sleep(5)\n"
    )
    done = _run(pytester, text)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*Timeout*", "*1 failed, 1 flaky*"])


def test_what_is_shared_goes_when_the_next_test_does_not_need_it(pytester: pytest.Pytester) -> None:
    done = _run(pytester, _ONCE.format(name="slow"), "-s")
    assert done.stdout.str().count("down") == 1


def test_a_coroutine_is_repeated_on_the_loop_of_the_session(pytester: pytest.Pytester) -> None:
    text = (
        "import asyncio\n@pytest.fixture(scope='session')\nasync def loop():\n    yield asyncio.get_running_loop()\n"
        "@pytest.fixture\nasync def load(whole, loop):\n    yield loop\n    assert loop is asyncio.get_running_loop()\n"
        "async def test_it(whole, load):\n    await asyncio.sleep(0)\n    assert load is asyncio.get_running_loop()\n"
        "    assert whole.count('whole') > 1\n"
    )
    done = _run(pytester, text)
    assert done.ret == 0
    done.stdout.fnmatch_lines(["*1 flaky*"])


def test_one_without_a_lab_is_not_repeated(pytester: pytest.Pytester) -> None:
    done = _run(pytester, "pytestmark = []\n" + _ONCE.format(name="slow"))
    done.assert_outcomes(failed=1)


def test_a_skipped_one_is_skipped(pytester: pytest.Pytester) -> None:
    done = _run(pytester, "def test_it(whole):\n    pytest.skip('not here')\n")
    done.assert_outcomes(skipped=1)
    assert done.ret == 0
