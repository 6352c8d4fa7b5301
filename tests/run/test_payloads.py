"""The converter forgives only where no type was asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter

from activities.postgres.models.post_promotion import Evicted
from activities.postgres.models.transfer import Quiet
from activities.run.models.report import Outcome
from workflows.run.outcome import Summary
from workflows.run.payloads import ForgivingPayloadConverter, Unreadable

_OURS, _PLAIN = ForgivingPayloadConverter(), PydanticPayloadConverter()
_JUNK = Payload(metadata={"encoding": b"json/plain"}, data=b"not json {")
_QUIET = Quiet(reached=True, seconds=1.5)


@pytest.mark.parametrize("value", [_QUIET, None, {"a": [1, 2.5]}, b"bytes", "text"])
def test_encodes_and_decodes_what_can_be_decoded_as_before(value: Any) -> None:
    payloads = _PLAIN.to_payloads([value])
    assert _OURS.to_payloads([value]) == payloads
    assert _OURS.from_payloads(payloads) == _PLAIN.from_payloads(payloads)
    assert _OURS.from_payloads(payloads, [type(value)]) == [value]


@pytest.mark.parametrize("payload", [_JUNK, *_PLAIN.to_payloads([{"reached": "perhaps"}])])
def test_a_result_that_does_not_fit_its_type_is_still_an_error(payload: Payload) -> None:
    with pytest.raises(ValueError, match="validation error"):
        _OURS.from_payloads([payload], [Quiet])


def test_one_that_cannot_be_decoded_does_not_hide_the_others() -> None:
    good, bad = _OURS.from_payloads([*_PLAIN.to_payloads([7]), _JUNK])
    assert good == 7
    assert isinstance(bad, Unreadable)


@given(
    st.dictionaries(st.just("encoding"), st.sampled_from([b"json/plain", b"json/protobuf", b""]) | st.binary()), st.binary()
)
def test_never_raises_without_a_type(metadata: dict[str, bytes], data: bytes) -> None:
    assert len(_OURS.from_payloads([Payload(metadata=metadata, data=data)])) == 1


def test_what_is_unset_is_left_out_but_where_people_read_it() -> None:
    (step,) = _OURS.to_payloads([Evicted(member="a", words="b")])
    (answer,) = _OURS.to_payloads([Summary(outcome=Outcome.COMPLETED, explanation="done", leader="a")])
    assert json.loads(step.data) == {"member": "a", "words": "b"}
    assert json.loads(answer.data).keys() == Summary.model_fields.keys()
