"""Whatever is typed into a form is answered with a request or with a sentence."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.record import Mode
from workflows.postgres.models import FailoverRequest
from workflows.run.inputs import parse
from workflows.run.models import Run

GOOD = {"cluster": "orders", "mode": "planned"}


def test_the_shortest_request_is_a_plan() -> None:
    request, fault = parse(FailoverRequest, (GOOD,))
    assert fault is None
    assert request == FailoverRequest(cluster="orders", mode=Mode.PLANNED, run=Run.PLAN)


KEYS = "cluster, mode, to, attest, run, by, reason"


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ((), f"input: expected one JSON object with the keys {KEYS}; got 0 arguments"),
        (
            (GOOD, GOOD),
            f"input: expected one JSON object with the keys {KEYS}; got 2 arguments",
        ),
        (
            (None,),
            f"input: expected one JSON object with the keys {KEYS}; got a NoneType",
        ),
        (({"cluster": "orders"},), 'mode: missing; give it, for example {"mode": …}'),
        (({**GOOD, "mode": "panned"},), "mode: input should be 'planned' or 'forced', got 'panned'"),
        (({**GOOD, "cluster": 1},), "cluster: input should be a valid string, got 1"),
        (
            ({**GOOD, "dry_run": True},),
            f"dry_run: unknown key; known keys are {KEYS}",
        ),
    ],
)
def test_names_the_field_and_what_would_be_right(args: tuple[Any, ...], sentence: str) -> None:
    request, fault = parse(FailoverRequest, args)
    assert request is None
    assert fault is not None
    assert (fault.type, fault.non_retryable, fault.message) == ("BadInput", True, sentence)


def test_names_every_field_that_is_wrong() -> None:
    _, fault = parse(FailoverRequest, ({"cluster": "", "mode": "x"},))
    assert fault is not None
    assert [part.partition(":")[0] for part in fault.message.split("; ")] == ["cluster", "mode"]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(_JSON | st.fixed_dictionaries({"cluster": _JSON, "mode": _JSON}), max_size=2))
def test_never_raises_and_never_leaves_both_or_neither(args: list[Any]) -> None:
    request, fault = parse(FailoverRequest, tuple(args))
    assert (request is None) != (fault is None)
