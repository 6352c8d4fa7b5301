"""Votes that somebody has forged: named kinds, and mutations of real ones at random."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from asyncssh import SSHKey, generate_private_key
from asyncssh.sshsig import create_sshsig
from pydantic import ValidationError

from activities.run.signed_words import NAMESPACE, SignedVote, SignedWord
from workflows.run.models import Decision

KEYS: dict[str, SSHKey] = {
    name: generate_private_key("ssh-ed25519") for name in ("dana", "omar", "rita", "lena", "ed", "stranger")
}
PEOPLE = {name: ["DBA"] for name in ("dana", "omar", "rita", "lena", "ed", "nora")} | {"mona": ["CTO"]}
_LIMITS: dict[str, dict[str, Any]] = {
    "rita": {"revoked": "laptop stolen"},
    "lena": {"valid_after": "2099-01-01T00:00:00Z"},
    "ed": {"valid_before": "2001-01-01T00:00:00Z"},
}
SIGNERS = {
    name: [{"key": key.export_public_key().decode(), **_LIMITS.get(name, {})}]
    for name, key in KEYS.items()
    if name != "stranger"
}
POLICY = {"planned": {"roles": ["DBA", "CTO"], "quorum": 1, "window": "PT5M", "signed": True}}
_FRAME = "-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n"


@dataclass(frozen=True)
class Run:
    """What a vote is of."""

    workflow: str
    run: str
    plan: str


def signature_of(said: SignedVote | SignedWord, key: str, namespace: str = NAMESPACE) -> str:
    return create_sshsig(KEYS[key], said.text, namespace=namespace).decode()


def vote(of: Run, by: str = "dana", key: str = "", namespace: str = NAMESPACE, **signed: Any) -> dict[str, Any]:
    """Return a vote by ``by`` for the plan of ``of``; ``signed``: what the text that is signed says instead."""
    said: dict[str, Any] = {"plan": of.plan, "by": by, "role": "DBA", "approve": True, "attest": False, "note": "seen"}
    said["expires"] = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    text = SignedVote.model_validate({"workflow": of.workflow, "run": of.run, **said, **signed})
    return {**said, "signature": signature_of(text, key or by, namespace)}


def _other_word(run: Run) -> dict[str, Any]:
    good = vote(run)
    end = datetime.fromisoformat(good["expires"])
    word = SignedWord(what="attest", workflow=run.workflow, run=run.run, by="dana", of="DBA", note="seen", expires=end)
    return {**good, "signature": signature_of(word, "dana")}


def _bent(run: Run) -> dict[str, Any]:
    good = vote(run)
    raw = bytearray(_raw(good["signature"]))
    raw[-1] ^= 1
    return {**good, "signature": _armored(bytes(raw))}


def _past() -> str:
    return (datetime.now(UTC) - timedelta(minutes=1)).isoformat()


_TEXT = "it is of another text"
FORGERIES: dict[str, tuple[Callable[[Run], dict[str, Any]], str]] = {
    "replayed from an earlier run": (lambda run: vote(run, run="0193-earlier"), _TEXT),
    "of an earlier run's plan": (lambda run: {**vote(run), "plan": "0000"}, "is not the plan that waits"),
    "of another target": (lambda run: vote(run, workflow="postgres/ledger"), _TEXT),
    "of another plan": (lambda run: vote(run, plan="0000"), _TEXT),
    "in a role that the person does not hold": (lambda run: {**vote(run, role="CTO"), "role": "CTO"}, "cannot fill CTO"),
    "in another role than was signed": (lambda run: vote(run, role="CTO"), _TEXT),
    "expired": (lambda run: {**vote(run, expires=(past := _past())), "expires": past}, "sign again"),
    "expired, with a later end": (lambda run: vote(run, expires=_past()), _TEXT),
    "by the requester": (lambda run: vote(run, by="omar"), "requested this run"),
    "by a revoked key": (lambda run: vote(run, by="rita"), "is revoked: laptop stolen"),
    "by a key that counts later": (lambda run: vote(run, by="lena"), "counts from 2099-01-01"),
    "by a key that has counted": (lambda run: vote(run, by="ed"), "has counted until 2001-01-01"),
    "by somebody without a key": (lambda run: vote(run, by="nora", key="dana"), "lists no key of nora"),
    "by a key that nobody has": (lambda run: vote(run, key="stranger"), "is not among this person's"),
    "with another person's key": (lambda run: vote(run, key="omar"), "is not among this person's"),
    "of another person": (lambda run: vote(run, key="dana", by="rita"), "is not among this person's"),
    "for another use of the key": (lambda run: vote(run, namespace="git"), "it was made for 'git'"),
    "a rejection turned round": (lambda run: vote(run, approve=False), _TEXT),
    "with another note": (lambda run: vote(run, note="no"), _TEXT),
    "with an attestation added": (lambda run: {**vote(run), "attest": True}, _TEXT),
    "another word of the same person": (_other_word, _TEXT),
    "with one bit of the signature changed": (_bent, _TEXT),
    "with garbage for a signature": (lambda run: {**vote(run), "signature": "garbage"}, "it is no SSH signature"),
    "with garbage in the armor": (lambda run: {**vote(run), "signature": _FRAME.format("!!!!")}, "it is no SSH signature"),
    "without a signature": (lambda run: {**vote(run), "signature": ""}, "only signed votes count here"),
    "by nobody whom the estate knows": (lambda run: vote(run, by="eve", key="stranger"), "nobody of that name"),
}  # fmt: skip


def _raw(signature: str) -> bytes:
    return base64.b64decode("".join(signature.splitlines()[1:-1]))


def _armored(raw: bytes) -> str:
    return _FRAME.format(base64.b64encode(raw).decode())


def _meaning(vote: dict[str, Any]) -> Any:
    """Return what a vote says, however it is written: ``yes`` is ``true``, and an armor may be broken into other lines."""
    try:
        decision = Decision.model_validate_json(json.dumps(vote))
    except ValidationError:
        return vote
    return decision.model_copy(update={"signature": "".join(decision.signature.split())})


class Forger:
    """Changes a real vote at random, each time in another way; what it returns never says the same as the real one."""

    def __init__(self, good: dict[str, Any], seed: int) -> None:
        self._good, self._chance = good, random.Random(seed)

    def forged(self) -> dict[str, Any]:
        """Return a forgery: one to three fields changed, or the signature."""
        while True:
            vote = dict(self._good)
            for _ in range(self._chance.randint(1, 3)):
                self._chance.choice((self._signature, self._signature, self._text, self._field))(vote)
            if _meaning(vote) != _meaning(self._good):
                return vote

    def _signature(self, vote: dict[str, Any]) -> None:
        raw, chance = bytearray(_raw(self._good["signature"])), self._chance
        match chance.randrange(4):
            case 0:
                raw[chance.randrange(len(raw))] ^= chance.randint(1, 255)
            case 1:
                del raw[chance.randrange(len(raw)) :]
            case 2:
                raw += chance.randbytes(chance.randint(1, 40))
            case _:
                at = chance.randrange(len(raw) - 8)
                raw[at : at + 8] = chance.randbytes(8)
        vote["signature"] = _armored(bytes(raw))

    def _text(self, vote: dict[str, Any]) -> None:
        name = self._chance.choice(("plan", "note", "by", "role", "signature", "expires"))
        text = str(vote[name])
        at = self._chance.randrange(len(text) + 1)
        vote[name] = text[:at] + chr(self._chance.choice((32, 48, 65, 97, 0, 0x2028, 0x1F600))) + text[at:]

    def _field(self, vote: dict[str, Any]) -> None:
        other: dict[str, tuple[Any, ...]] = {
            "by": ("omar", "mona", "DANA", "", None, 1), "approve": (False, "yes", None), "attest": (True, "true"),
            "role": ("", "CTO", "dba", None), "note": ("", "x" * 2000), "plan": ("", "0000", None),
            "expires": (None, 0, "never", "2099-01-01T00:00:00Z", "2001-01-01T00:00:00"), "signature": ("", None, []),
        }  # fmt: skip
        name = self._chance.choice(tuple(other))
        vote[name] = self._chance.choice(other[name])
