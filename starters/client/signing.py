"""Signs a vote as ``ssh-keygen`` does: with a key in a file, in an ssh-agent, or on a token that waits for a touch.

OpenSSH's own program signs. It asks for a passphrase where one is needed, and knows agents and tokens; nothing of a private
key passes through here.
"""

from __future__ import annotations

import asyncio
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from activities.run.signed_words import NAMESPACE, SignedVote
from starters.client.answers import CommandError, Exit
from starters.client.targets import Place
from workflows.run.models import ApprovalStatus, Decision

COUNTS_FOR = timedelta(minutes=30)
"""Long enough to paste it into the UI."""


async def signed(decision: Decision, approval: ApprovalStatus, place: Place, key: Path) -> Decision:
    """Return ``decision`` signed with ``key``: a private key, or a public one whose other half an agent or token has.

    Raises:
        CommandError: the role is not clear, or it was not signed; says why.

    """
    role = decision.role or _only_role(decision.by, approval)
    expires = (datetime.now(UTC) + COUNTS_FOR).replace(microsecond=0)
    vote = SignedVote(
        workflow=place.workflow_id, run=approval.run, plan=decision.plan, by=decision.by, role=role,
        approve=decision.approve, attest=decision.attest, note=decision.note, expires=expires,
    )  # fmt: skip
    signature = await asyncio.to_thread(_by_ssh_keygen, vote.text, key)
    return decision.model_copy(update={"role": role, "expires": expires, "signature": signature})


def _only_role(by: str, approval: ApprovalStatus) -> str:
    own = [role for role, people in approval.people.items() if by.strip().casefold() in map(str.casefold, people)]
    if len(own) != 1:
        told = f"{by} could fill {' or '.join(own)}" if own else f"{by} holds none of the roles still needed"
        raise CommandError(Exit.USAGE, f"role: {told}; a signature covers the role: give --role")
    return own[0]


def _by_ssh_keygen(text: bytes, key: Path) -> str:
    if not key.is_file():
        raise CommandError(Exit.USAGE, f"key: {key} is no file; give the private key, or the .pub of one in your agent")
    command = ["ssh-keygen", "-Y", "sign", "-n", NAMESPACE, "-f", str(key)]
    try:
        done = subprocess.run(command, input=text, capture_output=True, check=False)  # noqa: S603 - no shell
    except FileNotFoundError as error:
        raise CommandError(Exit.FAILED, "ssh-keygen is missing: install OpenSSH's client") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise CommandError(Exit.FAILED, f"key: {key} has not signed: {said[-1] if said else 'ssh-keygen says nothing'}")
    return done.stdout.decode()
