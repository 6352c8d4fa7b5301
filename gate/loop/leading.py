"""When a member must not lead although a record names it, and what an older record allows. Pure, as ``gate.loop.decide``.

An older record is one of an epoch below what this gate, another gate or the record's Lease has seen: a Service was restored
from a copy, a GitOps tool has put it back, or somebody has edited it. It moves nobody: a person decides who leads.
"""

from __future__ import annotations

from gate.api import GateStatus, Role, ServerState
from gate.lease.vouching import Outside
from gate.loop.situation import Action, Decision, Local
from gate.postgres.lsn import parse_lsn
from gate.record import Mirror, Record, is_older


def as_before(local: Local, outside: Outside, why: str) -> Decision:
    """Change no roles: what runs goes on, and a standby may follow the one peer that leads."""
    if local.server is not ServerState.STOPPED:
        return Decision(Action.KEEP, f"{why}; going on as before")
    leader = _leading_peer(outside)
    if leader is not None and local.standby_signal and not local.reverts and (leader.timeline or 0) >= local.timeline:
        return Decision(Action.START_STANDBY, f"{why}; {leader.member} leads", leader.member)
    return Decision(Action.WAIT, why)


def under_an_older_record(local: Local, record: Record, outside: Outside) -> Decision:
    """Keep what runs; start nothing that leads, but where record, Lease and all members agree that this one led last."""
    why, mirror = _older(record, f"epoch {local.state.epoch} has been seen here"), outside.mirror
    later = _on_a_later_timeline(local, outside)
    if local.server is not ServerState.STOPPED and runs_as_primary(local) and later is not None:
        return Decision(Action.STOP_NOW, f"{later.member} leads on the later timeline {later.timeline}; {why}")
    led_last = mirror == Mirror(local.member, local.state.epoch) and record.leader == local.member
    startable = not (local.empty or local.half_rewound or local.standby_signal or local.lacks)
    agreed = record.intent is None and all(_agrees(one, local) for one in outside.peers.values())
    if local.server is ServerState.STOPPED and led_last and startable and agreed:
        return Decision(Action.START_LEADER, f"has led last, as its Lease and all members say, too; {why}")
    return as_before(local, outside, why)


def must_not_lead(local: Local, record: Record, outside: Outside) -> Decision | None:
    """Return why this member must not lead although the record names it, or ``None``."""
    if record.intent is not None and record.intent.candidate != local.member:
        return Decision(Action.WAIT, f"an intent names {record.intent.candidate}")
    if (later := _on_a_later_timeline(local, outside)) is not None:
        return Decision(Action.WAIT, f"{later.member} leads on the later timeline {later.timeline}")
    if outside.mirror is not None and is_older(record, outside.mirror.epoch):
        return Decision(Action.WAIT, _older(record, f"its Lease is at epoch {outside.mirror.epoch}"))
    if record.intent is not None:  # whoever undoes a claim tells the candidate a later epoch first
        return None
    for status in outside.peers.values():
        if status is not None and is_older(record, status.epoch):
            return Decision(Action.WAIT, _older(record, f"{status.member} has seen epoch {status.epoch}"))
    return None


def must_not_lead_set_back(local: Local) -> Decision | None:
    """Return that this member's disk is not what it was; not where a run has decided that it leads again as it is."""
    if not local.lacks or local.reverts:
        return None
    remedy = "fail over to that one; if it is lost for good, delete this pod"
    return Decision(Action.WAIT, f"ITS DISK WAS SET BACK: {local.lacks}, and WAL ends before that here; {remedy}")


def must_not_promote_itself(local: Local, outside: Outside) -> Decision | None:
    """Return why a member in recovery must not promote itself although it may lead, or ``None``."""
    if not outside.peers and len(local.members) > 1:
        return Decision(Action.WAIT, "named leader is in recovery; asks the others first")
    answers = [status for status in outside.peers.values() if status is not None]
    for status in answers:
        if status.role is Role.PRIMARY:
            return Decision(Action.WAIT, f"{status.member} runs as primary")
    if local.state.promoted_at is not None or local.reverts:
        return None  # a run has decided it, and knew what the others had
    for status in answers:
        if status.role is Role.STANDBY and _has_more(status, local):
            has = f"{status.receive_lsn} on timeline {status.timeline}, more than {local.received} on {local.timeline} here"
            return Decision(Action.WAIT, f"{status.member} has received {has}: fail over to it")
    return None


def runs_as_primary(local: Local) -> bool:
    """Whether a server that is not stopped takes writes, or is about to."""
    return local.role is Role.PRIMARY or (local.role is None and not local.standby_signal)


def _has_more(peer: GateStatus, local: Local) -> bool:
    """Whether ``peer`` has received WAL that this standby lacks, or may have."""
    if peer.timeline != local.timeline or peer.receive_lsn is None:
        return (peer.timeline or 0) > local.timeline
    return local.received is None or parse_lsn(peer.receive_lsn) > parse_lsn(local.received)


def _agrees(peer: GateStatus | None, local: Local) -> bool:
    """Whether ``peer`` answers, has seen nothing later and does not lead."""
    return peer is not None and peer.epoch <= local.state.epoch and peer.role is not Role.PRIMARY


def _on_a_later_timeline(local: Local, outside: Outside) -> GateStatus | None:
    """Return a peer that leads on a later timeline than this member's."""
    leading = (one for one in outside.peers.values() if one is not None and one.role is Role.PRIMARY)
    return next((one for one in leading if (one.timeline or 0) > local.timeline), None)


def _older(record: Record, seen: str) -> str:
    return (
        f"THE LEADER RECORD IS OLDER: it names {record.leader} at epoch {record.epoch}, {seen};"
        " a person must decide: failover repair"
    )


def _leading_peer(outside: Outside) -> GateStatus | None:
    leading = [status for status in outside.peers.values() if status is not None and status.role is Role.PRIMARY]
    return leading[0] if len(leading) == 1 else None
