"""A series of sealed records: any byte that is changed, any file and any record that comes or goes, is found."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from asyncssh import SSHKey, generate_private_key
from asyncssh.sshsig import create_sshsig

from activities.clients.signatures import judge
from activities.run.evidence import MANIFEST, NAMESPACE, SIGNATURE, Record, digest, findings, sealed
from estate.signers import SigningKey

_NOW = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)
_KEY, _STRANGER = generate_private_key("ssh-ed25519"), generate_private_key("ssh-ed25519")
_LISTED = (SigningKey.model_validate({"key": _KEY.export_public_key().decode()}),)


def _verify(text: bytes, signature: str, at: datetime) -> str:
    return judge(text, signature, _LISTED, at, NAMESPACE).why


def _record(number: int, previous: str, key: SSHKey = _KEY) -> Record:
    files = {
        "history.json": json.dumps({"events": list(range(number * 10))}).encode(),
        "report.json": f'{{"outcome": "completed", "number": {number}}}'.encode(),
        "measurements.csv": b"at,milliseconds\n1,4.2\n",
    }
    manifest = sealed(f"failover-drill/orders/{number}", files, _NOW + timedelta(days=number), previous, gaps=("no check",))
    signature = create_sshsig(key, manifest.text, namespace=NAMESPACE)
    return Record(f"record {number}", {**files, MANIFEST: manifest.text, SIGNATURE: signature})


@cache
def _series() -> tuple[Record, ...]:
    records, before = list[Record](), ""
    for number in range(1, 5):
        records.append(_record(number, before))
        before = digest(records[-1].files[MANIFEST])
    return tuple(records)


def _with(at: int, **files: bytes | None) -> tuple[Record, ...]:
    """Return the series with files of one record replaced; ``None`` takes one away."""
    one = _series()[at]
    names = {name.replace("_", "."): data for name, data in files.items()}
    left = {name: data for name, data in {**one.files, **names}.items() if data is not None}
    return (*_series()[:at], Record(one.name, left), *_series()[at + 1 :])


def test_a_series_that_nobody_has_touched_is_whole() -> None:
    assert findings(_series(), _verify) == ()


def test_a_thousand_bytes_that_were_changed_at_random_are_all_found() -> None:
    chance = random.Random(20261130)
    places = [
        (at, name, byte) for at, one in enumerate(_series()) for name in one.files for byte in range(len(one.files[name]))
    ]
    for at, name, byte in chance.sample(places, 1_000):
        data = bytearray(_series()[at].files[name])
        data[byte] ^= chance.randint(1, 255)
        changed = Record("changed", {**_series()[at].files, name: bytes(data)})
        assert findings((*_series()[:at], changed, *_series()[at + 1 :]), _verify), (at, name, byte)


@pytest.mark.parametrize(
    ("records", "words"),
    [
        (_with(1, report_json=None), "record 2: report.json is missing"),
        (_with(1, extra_json=b"{}"), "record 2: extra.json was added"),
        (_with(1, report_json=b"{}"), "record 2: report.json was changed: 2 bytes"),
        (_with(1, manifest_json=None), "record 2: has no manifest.json"),
        (_with(3, manifest_json=b"{}"), "record 4: manifest.json cannot be read"),
        ((*_series()[:1], *_series()[2:]), "record 3: follows"),
        (_series()[1:], "record 2: follows"),
        ((_series()[1], _series()[0]), "record 1: follows no record"),
        (
            (*_series()[:3], _record(4, digest(_series()[2].files[MANIFEST]), generate_private_key("ssh-ed25519"))),
            "is not among",
        ),
    ],
)
def test_says_what_was_done(records: tuple[Record, ...], words: str) -> None:
    assert words in "; ".join(findings(records, _verify))
