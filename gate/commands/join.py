"""Commands that bring a directory into the cluster: adopt (it has run without a gate), rejoin (follow the leader now)."""

from __future__ import annotations

from gate.api import AdoptCommand, Adopted, Command, GateStatus, ProblemKind, ServerState
from gate.commands import adopt
from gate.commands.handler import Handler
from gate.postgres.sql import NOT_ANSWERING


class Joining(Handler):
    """Makes a member of what is there."""

    async def adopt(self, command: AdoptCommand) -> Adopted:
        """Prepare a directory that has run without a gate; the server stays stopped until the record names this member."""
        context = self._context
        async with context.lock:
            await self._accept(command)
            try:
                control = await adopt.must_be_adoptable(context.settings, command.system_identifier)
                await self._may_be_adopted()
                context.log("adopt", run=command.run, was=control.state)
                return await adopt.prepare(context.settings, command.epoch)
            except adopt.NotAdoptableError as error:
                raise self._refuse(error.kind, str(error)) from error
            except NOT_ANSWERING as error:
                raise self._refuse(ProblemKind.NOT_SERVING, f"the server did not serve: {error or 'too late'}") from error

    async def _may_be_adopted(self) -> None:
        """Return if nobody leads yet and nothing runs here."""
        context, record = self._context, await self._read_record()
        if record is not None:
            raise self._refuse(ProblemKind.RECORD_FORBIDS, f"there is a leader record already, it names {record.leader}")
        if context.server.state is not ServerState.STOPPED:
            raise self._refuse(ProblemKind.RECORD_FORBIDS, f"the server is {context.server.state}: end its pod first")

    async def rejoin(self, command: Command) -> GateStatus:
        """Look at the record now, and follow its leader even if automatic rejoin is paused; answers at once."""
        await self._accept(command)
        record = await self._record()
        if record.epoch > command.epoch:
            raise self._refuse(ProblemKind.STALE_EPOCH, f"epoch {command.epoch} is stale, the record is at {record.epoch}")
        if record.leader != self._context.settings.member:
            self._context.store.write(rejoin_behind=record.leader)
        self._context.kick.set()
        return self._context.status()
