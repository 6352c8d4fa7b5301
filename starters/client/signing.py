"""Signs a vote, or another word, as ``ssh-keygen`` does: with a key in a file, in an ssh-agent, or on a token to be touched.

OpenSSH's own program signs. It asks for a passphrase where one is needed, and knows agents and tokens; nothing of a private
key passes through here.
"""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from activities.run.signed_words import NAMESPACE
from starters.client.answers import Answer, CommandError, Exit, Verbatim
from starters.client.targets import Place
from starters.history.parse import Chronicle
from workflows.run.models import ApprovalStatus, Decision, Signable
from workflows.run.signatures import vote_of, word_of

W = TypeVar("W", bound=Signable)

COUNTS_FOR = timedelta(minutes=30)
"""Long enough to paste it into the UI."""


@dataclass(frozen=True)
class Signing:
    """Whether what a person says is signed, and whether it is sent."""

    key: Path | None = None
    """To sign with; ``None``: it is not signed."""
    printed: bool = False
    """It is printed, to be pasted into the UI, and not sent."""

    async def sign(self, what: str, word: W, place: Place, chronicle: Chronicle) -> W:
        """Return ``word``, which the command ``what`` says of the run ``chronicle``, signed if there is a key.

        CommandError: it was not signed; says why.
        """
        if self.key is None:
            return word
        ends = word.model_copy(update={"expires": _end()})
        text = word_of(what, ends, place.workflow_id, chronicle.first_run).text
        return ends.model_copy(update={"signature": await asyncio.to_thread(_by_ssh_keygen, text, self.key)})


def to_paste(word: Signable) -> Answer:
    """Return what is printed of ``word``, to be pasted into the UI."""
    return Answer(Exit.DONE, word.model_dump(mode="json"), Verbatim(word.model_dump_json() + "\n"))


def _end() -> datetime:
    return (datetime.now(UTC) + COUNTS_FOR).replace(microsecond=0)


UNSIGNED = Signing()


async def signed(decision: Decision, approval: ApprovalStatus, place: Place, key: Path) -> Decision:
    """Return ``decision`` signed with ``key``: a private key, or a public one whose other half an agent or token has.

    Raises:
        CommandError: the role is not clear, or it was not signed; says why.

    """
    role = decision.role or _only_role(decision.by, approval)
    ends = decision.model_copy(update={"role": role, "expires": _end()})
    text = vote_of(ends, place.workflow_id, approval.run).text
    return ends.model_copy(update={"signature": await asyncio.to_thread(_by_ssh_keygen, text, key)})


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
