"""The reading of sources that fingerprints rest on: how something is written does not matter, what it does, does."""

from __future__ import annotations

import pytest

from tests.architecture import samples
from tests.architecture.flow.routines import graph_of
from tests.architecture.flow.shape import shape_of

_USUAL = graph_of(samples.Usual)


def test_every_way_is_seen() -> None:
    assert _USUAL.successions() == {
        "begins": {("", "activity claim")},
        "activity claim": {("", "activity fence")},
        "activity fence": {("", "activity lift the fence"), ("", "activity promote")},
        "activity lift the fence": {("", "activity give back")},
        "activity give back": set(),
        "activity promote": {("", "completes")},
    }


def test_moved_renamed_and_cut_up_it_is_the_same() -> None:
    written_otherwise = graph_of(samples.WrittenOtherwise)
    assert written_otherwise.successions() == _USUAL.successions()
    assert shape_of(written_otherwise) == shape_of(_USUAL)


@pytest.mark.parametrize("other", [samples.SwappedInTheUndo, samples.MissingInTheUndo, samples.GoesOnAfterTheUndo])
def test_another_order_on_a_way_that_hardly_ever_happens_is_another(other: type) -> None:
    assert graph_of(other).successions() != _USUAL.successions()
    assert shape_of(graph_of(other)) != shape_of(_USUAL)


def test_an_abstract_method_may_be_that_of_each_class_which_has_one() -> None:
    assert graph_of(samples.OfAnyKind).successions()["begins"] == {("", "activity one"), ("", "activity other")}
