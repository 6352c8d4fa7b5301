"""No input may leave a run Running for ever: each fails at once with a sentence that names the field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fakes.world import B
from tests.postgres.bench import Bench

_GOOD = {"cluster": "orders", "mode": "planned", "run": "real", "by": "omar"}
_INPUTS: list[tuple[tuple[Any, ...], str]] = [
    ((), "input: expected one JSON object with the keys cluster, "),
    (({},), "cluster: missing"),
    ((_GOOD, _GOOD), "input: expected one JSON object"),
    ((None,), "got a NoneType"),
    (("orders",), "got a str"),
    (([_GOOD],), "got a list"),
    ((7,), "got a int"),
    (({**_GOOD, "cluster": 7},), "cluster: "),
    (({**_GOOD, "cluster": ""},), "cluster: "),
    (({**_GOOD, "cluster": None},), "cluster: "),
    (({**_GOOD, "mode": "planed"},), "mode: "),
    (({**_GOOD, "run": "reel"},), "run: "),
    (({**_GOOD, "by": ["omar"]},), "by: "),
    (({**_GOOD, "modus": "planned"},), "modus: unknown key; known keys are cluster, "),
]


@pytest.mark.parametrize(("args", "words"), _INPUTS, ids=[words for _, words in _INPUTS])
async def test_fails_at_once_and_names_the_field(bench: Bench, args: tuple[Any, ...], words: str) -> None:
    before = bench.world.snapshot
    refusal = await bench.refused(await bench.start(*args))
    assert (refusal.type, words in refusal.message) == ("BadInput", True), refusal.message
    assert bench.world.snapshot == before


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "input: expected one JSON object with the keys cluster, "),
        (({},), "cluster: missing"),
        (("orders",), "got a str"),
        (({"cluster": "orders", "member": 3},), "member: "),
    ],
)
async def test_a_rejoin_checks_its_input_too(bench: Bench, args: tuple[Any, ...], words: str) -> None:
    refusal = await bench.refused(await bench.start(*args, workflow="postgres-rejoin"))
    assert (refusal.type, words in refusal.message) == ("BadInput", True), refusal.message


async def test_an_unknown_cluster_is_named_with_those_that_are_known(bench: Bench) -> None:
    request = {**_GOOD, "cluster": "odrers"}
    refusal = await bench.refused(await bench.start(request, id="postgres/odrers"))
    assert (refusal.type, "odrers" in refusal.message, bench.cluster in refusal.message) == ("BadInput", True, True)


async def test_an_estate_file_that_is_missing_is_named(bench: Bench) -> None:
    bench.estate.unlink()
    refusal = await bench.refused(await bench.switch())
    assert (refusal.type, str(bench.estate) in refusal.message) == ("BadEstate", True)


async def test_a_malformed_estate_is_refused_with_line_and_key(bench: Bench) -> None:
    _misspell(bench.estate, bench.cluster)
    refusal = await bench.refused(await bench.switch())
    assert (refusal.type, "line " in refusal.message) == ("BadEstate", True)
    assert f"postgres.{bench.cluster}.write_sevice" in refusal.message


async def test_a_mended_estate_needs_no_restart(bench: Bench) -> None:
    text = _misspell(bench.estate, bench.cluster)
    await bench.refused(await bench.switch())
    _write(bench.estate, text)
    assert (await bench.finished(await bench.switch())).leader == B


def _misspell(path: Path, cluster: str) -> str:
    text = path.read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    content["postgres"][cluster]["write_sevice"] = "x"
    _write(path, yaml.safe_dump(content))
    return text


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
