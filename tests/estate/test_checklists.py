"""Checklists in the estate: the example fits, and what does not fit is refused with the key and the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from estate.checklists import KINDS, lists_of
from estate.model import Estate
from estate.reference import reference_of
from estate.resolving import resolve_target
from workflows.catalog import PROCEDURES
from workflows.run.procedure import Procedure

EXAMPLE = Path(__file__).parents[2] / "deploy/kubernetes/base/worker/estate.yaml"
HUMAN = {"key": "a", "title": "A", "kind": "human"}
NO_GATES = {"postgres-rejoin", "region-fence"}
"""They make redundant again, or fence: neither may wait for a list."""


def example() -> dict[str, Any]:
    """Return the shipped example with its checklists, which are commented out there."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    begins = next(number for number, line in enumerate(lines) if line.startswith("# checklists:"))
    ends = next(number for number, line in enumerate(lines) if number > begins and not line.startswith("#"))
    lists = yaml.safe_load("\n".join(line.removeprefix("# ") for line in lines[begins:ends]))
    content: dict[str, Any] = {**yaml.safe_load("\n".join(lines)), **lists}
    return content


def with_list(**one: Any) -> dict[str, Any]:
    return {**example(), "checklists": {"database": {"procedures": ["postgres-failover"], **one}}}


def test_the_example_fits_and_reaches_its_target() -> None:
    estate = Estate.model_validate(example())
    target = resolve_target(estate, "orders")
    assert list(target.checklists) == ["database"]
    assert [one.key for one in target.checklists["database"].before][:3] == ["not-recoverable", "informed", "backup"]
    kinds = {one.kind for checklist in estate.checklists.values() for one in (*checklist.before, *checklist.after)}
    assert kinds == {
        "human", "postgres-backup", "flexible-server-backup", "sql", "pg_amcheck", "prometheus", "grafana",
        "application-insights",
    }  # fmt: skip


def test_a_target_without_lists_is_who_it_was() -> None:
    content = example()
    with_lists = reference_of(resolve_target(Estate.model_validate(content), "orders"))
    del content["checklists"]
    without = resolve_target(Estate.model_validate(content), "orders")
    assert "checklists" not in without.model_dump(exclude_defaults=True)
    assert reference_of(without).digest != with_lists.digest, "another query is another target"


def test_every_procedure_that_can_be_gated_is_named_with_the_kind_of_its_targets() -> None:
    assert {spec.name: spec.target.KIND for spec in PROCEDURES if spec.name not in NO_GATES} == KINDS


def test_no_procedure_goes_round_the_gates() -> None:
    for spec in PROCEDURES:
        if spec.name not in NO_GATES:
            assert spec.runs.story is Procedure.story, spec.name
            assert spec.runs.agreed_to is Procedure.agreed_to, spec.name


@pytest.mark.parametrize(
    ("one", "words"),
    [
        ({"procedures": ["postgres-failsover"]}, "procedures names postgres-failsover; known: postgres-failover"),
        ({"targets": ["order"]}, "checklists.database.targets names order, which its procedures do not have; known: orders"),
        ({"before": [{"key": "a", "title": "A", "kind": "human", "roles": ["Boss"]}]}, "a asks for Boss, but nobody"),
        ({"before": [{"key": "a", "title": "A"}] * 2}, "kind"),
        (
            {
                "before": [{"key": "a", "title": "A", "kind": "human"}],
                "after": [{"key": "a", "title": "B", "kind": "human"}],
            },
            "has the key a, which database has for postgres-failover already",
        ),
        ({"before": [{"key": "b", "title": "B", "kind": "postgres-backup"}]}, "b needs command or query, one of both"),
        ({"before": [{"key": "b", "title": "B", "kind": "sql", "queries": {}}]}, "queries"),
        ({"before_within": "P2D"}, "before_within"),
    ],
)
def test_what_does_not_fit_is_refused(one: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Estate.model_validate(with_list(**one))


def test_a_list_of_another_target_or_kind_is_not_taken() -> None:
    estate = Estate.model_validate(with_list(targets=["orders"]))
    assert list(lists_of(estate.checklists, "postgres", "orders")) == ["database"]
    assert lists_of(estate.checklists, "postgres", "other") == lists_of(estate.checklists, "redis", "orders") == {}
