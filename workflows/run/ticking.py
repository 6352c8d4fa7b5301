"""The handlers through which people say that an item of a checklist is done, and what such a word must be to count.

It counts while the item's list is open: before, from the plan on until people have agreed and nothing is open; after, once
all has succeeded. Where the policy counts signed words only, so it does here (``workflows.run.heard``).
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.run.models.checks import CheckEntry, CheckState
from estate.base import Target
from estate.checklists import item_of
from workflows.run.attesting import Attestable
from workflows.run.heard import said_here
from workflows.run.inputs import said
from workflows.run.models import ItemWord, Status
from workflows.run.people import must_be_one_of


class Tickable(Attestable):
    """Base of workflows that may have checklists."""

    @workflow.update(
        description='Say that an item of the checklist is done: {"by": "dana", "item": "rollback-ready", "note": "HOW"}'
    )
    async def tick(self, *args: Any) -> Status:  # noqa: ANN401 - anything can be typed into a form
        """Take the word (``ItemWord``) and return the status after it. ApplicationError: it does not count."""
        return await self.answered(self._tick(said(ItemWord, args)))

    @tick.validator
    def _may_tick(self, *args: Any) -> None:  # noqa: ANN401
        self._check_tick(said(ItemWord, args))

    @workflow.signal(description="Like tick, without an answer; a word that does not count is dropped.")
    async def ticked(self, *args: Any) -> None:  # noqa: ANN401
        """Take the word (``ItemWord``) if it counts. Never raises: an error here would wedge the run."""
        try:
            await self._tick(said(ItemWord, args))
        except (ValueError, FailureError) as complaint:
            workflow.logger.warning("Ignored word of an item: %s", complaint)

    async def _tick(self, word: ItemWord) -> None:
        """Take a word. Raises as ``Hears.key_of_word``."""
        self._check_tick(word)
        signed = said_here("attest", word)
        key = await self.key_of_word(signed, word.signature)
        entry = self._check_tick(word)  # the run has gone on meanwhile
        self.count(signed)
        state = CheckState.DONE if word.done else CheckState.NOT_DONE
        update = {"state": state, "by": word.by, "note": word.note, "at": workflow.now(), "signed_with": key}
        self.state.keep_check(entry.model_copy(update=update))
        self.state.show()

    def _check_tick(self, word: ItemWord) -> CheckEntry:
        """Return the item that is meant. ValueError: the word does not count; the message says why and what would."""
        state, target = self.state, self.state.target
        if target is None or state.checking is None:
            message = "nothing waits for an item of a checklist; ask for the status first"
            raise ValueError(message)
        ours = [one for one in state.checks if one.gate is state.checking and one.human]
        entry = next((one for one in ours if one.key == word.item), None)
        if entry is None:
            raise ValueError(self._why_not(word, ours))
        self._may_say(word.by, entry, target)
        self.must_be_signed("attest", word, of=f"--item {word.item}{'' if word.done else ' --not-done'}")
        return entry

    def _why_not(self, word: ItemWord, ours: list[CheckEntry]) -> str:
        name = self.state.request.target if self.state.request else "TARGET"
        if any(one.key == word.item and one.gate is self.state.checking for one in self.state.checks):
            skip = f"failover skip {name} checklist/{word.item} --by NAME --reason WHY"
            return f"item: {word.item} is looked at by a step, not said; a run goes on without it by {skip}"
        known = ", ".join(one.key for one in ours) or "none"
        return f"item: the checklist that is open has no {word.item} that people say; it has {known}"

    @staticmethod
    def _may_say(by: str, entry: CheckEntry, target: Target) -> None:
        item = item_of(target.checklists, workflow.info().workflow_type, entry.key)
        roles: tuple[str, ...] = getattr(item, "roles", ())
        must_be_one_of(roles, by, target, f"say that {entry.key} is done")
