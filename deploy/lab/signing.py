"""Keys with which people of the lab sign: made for one demonstration, kept in memory only, and gone with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from asyncssh import SSHKey, generate_private_key
from asyncssh.sshsig import create_sshsig

from activities.run.signed_words import NAMESPACE
from workflows.run.models import ApprovalStatus, Decision, Signable
from workflows.run.signatures import vote_of, word_of

S = TypeVar("S", bound=Signable)

_COUNTS_FOR = timedelta(minutes=5)


class Signers:
    """One key for each person whom the estate lists."""

    def __init__(self) -> None:
        """Make no key yet: who the people are stands in the estate."""
        self._keys: dict[str, SSHKey] = {}

    def only(self, estate: dict[str, Any]) -> None:
        """Edit ``estate``: each person has a key, and where a database asks for approvals only signed ones count."""
        self._keys = {name: generate_private_key("ssh-ed25519") for name in estate["people"]}
        estate["signers"] = {name: [{"key": key.export_public_key().decode()}] for name, key in self._keys.items()}
        for cluster in estate["postgres"].values():
            for policy in cluster.get("approvals", {}).values():
                policy["signed"] = True

    def sign(self, decision: Decision, approval: ApprovalStatus, workflow_id: str) -> Decision:
        """Return ``decision`` signed by the person whom it names, in the first role that they can still fill."""
        role = next(role for role, people in approval.people.items() if decision.by in people)
        ends = decision.model_copy(update={"role": role, "expires": datetime.now(UTC) + _COUNTS_FOR})
        text = vote_of(ends, workflow_id, approval.run).text
        signature = create_sshsig(self._keys[decision.by], text, namespace=NAMESPACE).decode()
        return ends.model_copy(update={"signature": signature})

    def sign_word(self, what: str, word: S, workflow_id: str, run: str) -> S:
        """Return ``word``, which the command ``what`` says of the first run ``run``, signed by the person whom it names."""
        ends = word.model_copy(update={"expires": datetime.now(UTC) + _COUNTS_FOR})
        text = word_of(what, ends, workflow_id, run).text
        signature = create_sshsig(self._keys[getattr(word, "by", "")], text, namespace=NAMESPACE).decode()
        return ends.model_copy(update={"signature": signature})
