"""People with SSH keys, and votes and other words that are signed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asyncssh import SSHKey, generate_private_key
from asyncssh.sshsig import create_sshsig
from temporalio.client import WorkflowUpdateFailedError

from activities.run.signed_words import NAMESPACE, SignedVote, SignedWord
from tests.postgres.bench import Handle
from workflows.run.models import Status

KEYS: dict[str, SSHKey] = {name: generate_private_key("ssh-ed25519") for name in ("dana", "mona", "omar")}
SIGNERS = {name: [{"key": key.export_public_key().decode()}] for name, key in KEYS.items()}
SIGNED = {"planned": {"roles": ["DBA"], "window": "PT1M", "signed": True}}
"""Policy by which only a signed vote of a DBA counts."""
FORCED = {"forced": SIGNED["planned"]}


def signed_vote(
    workflow_id: str,
    status: Status,
    by: str = "dana",
    key: str = "",
    *,
    signed: dict[str, Any] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Return a vote for the plan that waits, signed by ``by``, or with the key of ``key``; ``signed``: what else it says.

    Then ``changes`` are made.
    """
    assert status.plan is not None
    assert status.approval is not None
    vote = SignedVote.model_validate({
        "workflow": workflow_id, "run": status.approval.run, "plan": status.plan.digest, "by": by, "role": "DBA",
        "approve": True, "expires": datetime.now(UTC) + timedelta(minutes=1), **(signed or {}),
    })  # fmt: skip
    signature = create_sshsig(KEYS[key or by], vote.text, namespace=NAMESPACE).decode()
    return {**vote.model_dump(mode="json", exclude={"workflow", "run"}), "signature": signature, **changes}


async def first_run(handle: Handle) -> str:
    """Return what a signature names as the run of ``handle``."""
    return str((await handle.describe()).raw_description.workflow_execution_info.first_run_id)


async def signed_word(
    handle: Handle, what: str, *, by: str = "dana", key: str = "", signed: dict[str, Any] | None = None, **word: Any
) -> dict[str, Any]:
    """Return ``word`` for ``what``, signed by ``by``, or with the key of ``key``; ``signed``: what the text says instead."""
    text = SignedWord.model_validate({
        "what": what, "workflow": handle.id, "run": await first_run(handle), "by": by,
        "of": word.get("member") or word.get("node") or word.get("step") or "",
        "note": word.get("note") or word.get("reason") or "", "anyway": word.get("anyway", False),
        "expires": datetime.now(UTC) + timedelta(minutes=1), **(signed or {}),
    })  # fmt: skip
    signature = create_sshsig(KEYS[key or by], text.text, namespace=NAMESPACE).decode()
    return {"by": by, **word, "expires": text.expires.isoformat(), "signature": signature}


async def complaint_of(handle: Handle, update: str, word: dict[str, Any]) -> str:
    """Return why an update is refused."""
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update(update, word)
    return str(refused.value.cause)
