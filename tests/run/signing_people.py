"""People with SSH keys, and votes that are signed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from asyncssh import SSHKey, generate_private_key
from asyncssh.sshsig import create_sshsig

from activities.run.signed_words import NAMESPACE, SignedVote
from workflows.run.models import Status

KEYS: dict[str, SSHKey] = {name: generate_private_key("ssh-ed25519") for name in ("dana", "mona", "omar")}
SIGNERS = {name: [{"key": key.export_public_key().decode()}] for name, key in KEYS.items()}
SIGNED = {"planned": {"roles": ["DBA"], "window": "PT1M", "signed": True}}
"""Policy by which only a signed vote of a DBA counts."""


def signed_vote(workflow_id: str, status: Status, by: str = "dana", key: str = "", **changes: Any) -> dict[str, Any]:
    """Return a vote for the plan that waits, signed by ``by``, or with the key of ``key``; then ``changes`` are made."""
    assert status.plan is not None
    assert status.approval is not None
    vote = SignedVote(
        workflow=workflow_id, run=status.approval.run, plan=status.plan.digest, by=by, role="DBA", approve=True,
        expires=datetime.now(UTC) + timedelta(minutes=1),
    )  # fmt: skip
    signature = create_sshsig(KEYS[key or by], vote.text, namespace=NAMESPACE).decode()
    return {**vote.model_dump(mode="json", exclude={"workflow", "run"}), "signature": signature, **changes}
