"""Signatures by real keys: what counts, and fourteen ways in which one is no use; then ten thousand that are garbage."""

from __future__ import annotations

import base64
import random
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncssh import SSHKey, generate_private_key
from asyncssh.sshsig import create_sshsig

from activities.clients.signatures import judge
from activities.run.signed_words import NAMESPACE, Judged, SignedVote
from estate.signers import SigningKey

_NOW = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)
_VOTE = SignedVote(
    workflow="postgres/orders", run="0193", plan="ab12", by="dana", role="DBA", approve=True, note="seen by me",
    expires=_NOW + timedelta(minutes=30),
)  # fmt: skip
_KINDS: dict[str, dict[str, Any]] = {
    "ssh-ed25519": {}, "ecdsa-sha2-nistp256": {}, "ecdsa-sha2-nistp521": {}, "ssh-rsa": {"key_size": 3072},
}  # fmt: skip


def _public(key: SSHKey) -> str:
    return key.export_public_key().decode().strip()


def _listed(key: SSHKey, **more: Any) -> SigningKey:
    return SigningKey.model_validate({"key": _public(key), **more})


def _sign(key: SSHKey, text: bytes = _VOTE.text, namespace: str = NAMESPACE) -> str:
    return create_sshsig(key, text, namespace=namespace).decode()


def _judge(signature: str, *keys: SigningKey, text: bytes = _VOTE.text) -> Judged:
    return judge(text, signature, keys, _NOW)


@pytest.fixture(scope="module")
def dana() -> SSHKey:
    return generate_private_key("ssh-ed25519")


@pytest.mark.parametrize("kind", _KINDS)
def test_a_key_of_the_person_counts(kind: str) -> None:
    key = generate_private_key(kind, **_KINDS[kind])
    judged = _judge(_sign(key), _listed(generate_private_key("ssh-ed25519")), _listed(key))
    assert judged == Judged(key.get_fingerprint())


def test_what_ssh_keygen_has_signed_counts(tmp_path: Path, dana: SSHKey) -> None:
    private = tmp_path / "key"
    dana.write_private_key(private)
    private.chmod(0o600)
    command = ["ssh-keygen", "-Y", "sign", "-n", NAMESPACE, "-f", str(private)]
    done = subprocess.run(command, input=_VOTE.text, capture_output=True, check=True)
    assert _judge(done.stdout.decode(), _listed(dana)).fingerprint == dana.get_fingerprint()


def _other(**changes: Any) -> Callable[[SSHKey], tuple[str, tuple[SigningKey, ...]]]:
    """Return a forgery: what was signed differs from what is judged."""
    return lambda dana: (_sign(dana, _VOTE.model_copy(update=changes).text), (_listed(dana),))


def _keys(**more: Any) -> Callable[[SSHKey], tuple[str, tuple[SigningKey, ...]]]:
    return lambda dana: (_sign(dana), (_listed(dana, **more),))


def _swapped(dana: SSHKey) -> str:
    """Return a signature by a stranger that names the key of ``dana``."""
    stranger = generate_private_key("ssh-ed25519")
    raw = base64.b64decode("".join(_sign(stranger).splitlines()[1:-1]))
    forged = raw.replace(stranger.public_data, dana.public_data, 1)
    lines = base64.b64encode(forged).decode()
    return f"-----BEGIN SSH SIGNATURE-----\n{lines}\n-----END SSH SIGNATURE-----\n"


_TEXT, _FORM = "it is of another text", "it is no SSH signature"
_FORGERIES: dict[str, tuple[Callable[[SSHKey], tuple[str, tuple[SigningKey, ...]]], str]] = {
    "of another run": (_other(run="0194"), _TEXT),
    "of another target": (_other(workflow="postgres/ledger"), _TEXT),
    "of another plan": (_other(plan="cd34"), _TEXT),
    "of another role": (_other(role="CTO"), _TEXT),
    "of a rejection": (_other(approve=False), _TEXT),
    "of another person": (_other(by="carl"), _TEXT),
    "without the word that comes with it": (_other(attest=True), _TEXT),
    "with another note": (_other(note="seen by nobody"), _TEXT),
    "with a later end": (_other(expires=_NOW + timedelta(days=1)), _TEXT),
    "for another use of the key": (lambda dana: (_sign(dana, namespace="git"), (_listed(dana),)), "made for 'git'"),
    "by a stranger": (lambda dana: (_sign(generate_private_key("ssh-ed25519")), (_listed(dana),)), "is not among"),
    "by a stranger in her name": (lambda dana: (_swapped(dana), (_listed(dana),)), _TEXT),
    "by a revoked key": (_keys(revoked="laptop stolen"), "is revoked: laptop stolen"),
    "by a key that counts later": (_keys(valid_after=_NOW + timedelta(days=1)), "counts from 2026-12-01 03:00 on"),
    "by a key that has counted": (_keys(valid_before=_NOW), "has counted until 2026-11-30 03:00"),
    "cut off": (lambda dana: (_sign(dana)[:-40], (_listed(dana),)), _FORM),
    "empty": (lambda dana: (" ", (_listed(dana),)), _FORM),
    "too long": (lambda dana: (_sign(dana) + " " * 9000, (_listed(dana),)), _FORM),
}


@pytest.mark.parametrize("forgery", _FORGERIES)
def test_a_forgery_is_refused_with_its_reason(dana: SSHKey, forgery: str) -> None:
    make, why = _FORGERIES[forgery]
    signature, keys = make(dana)
    judged = _judge(signature, *keys)
    assert (judged.fingerprint, why in judged.why) == ("", True), judged


def test_ten_thousand_signatures_that_were_changed_at_random_are_refused(dana: SSHKey) -> None:
    chance, good, listed = random.Random(20261130), _sign(dana), _listed(dana)
    raw = base64.b64decode("".join(good.splitlines()[1:-1]))
    for _ in range(10_000):
        bad = bytearray(raw)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(bad))
            bad[at] ^= chance.randint(1, 255)
        armored = base64.b64encode(bytes(bad)).decode()
        text = f"-----BEGIN SSH SIGNATURE-----\n{armored}\n-----END SSH SIGNATURE-----"
        if bytes(bad) != raw:
            assert _judge(text, listed).fingerprint == ""
    assert _judge(good, listed).fingerprint


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", "must be one line"),
        ("ssh-dss AAAA", "must be one line"),
        ("ssh-ed25519 AAAA", "is cut off or damaged"),
        ("ssh-ed25519 !!", "is cut off or damaged"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "must be one line"),
    ],
)
def test_a_key_that_is_none_is_refused_when_the_estate_is_read(key: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SigningKey.model_validate({"key": key})
