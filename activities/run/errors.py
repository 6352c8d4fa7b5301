"""Every way to say no, and how a step says it.

A refusal is final: it is raised non-retryable at its source, so that no workflow needs a list of error names. Anything
else that an activity raises is a passing fault and is retried by its posture (``workflows.run.postures``).
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from temporalio.exceptions import ApplicationError

from activities.run.models.diagnosis import Silence

_LONGEST_MESSAGE = 2000


class Refusal(StrEnum):
    """Why a run did not start, did not go on, or was undone."""

    BAD_INPUT = "BadInput"
    BAD_ESTATE = "BadEstate"
    SECRET_MISSING = "SecretMissing"  # noqa: S105 - the name of a refusal
    WRONG_WORKFLOW_ID = "WrongWorkflowId"
    NOT_AVAILABLE = "NotAvailable"
    NO_RECORD = "NoRecord"
    ADOPTED_ALREADY = "AdoptedAlready"
    RECORD_DISAGREES = "RecordDisagrees"
    CLAIMED_ELSEWHERE = "ClaimedElsewhere"
    NO_PRIMARY = "NoPrimary"
    NO_QUORUM = "NoQuorum"
    PRIMARY_ALIVE = "PrimaryAlive"
    MOVED_ALREADY = "MovedAlready"
    NO_PROOF = "NoProof"
    TWO_PRIMARIES = "TwoPrimaries"
    NO_ENDPOINT = "NoEndpoint"
    BUSY = "Busy"
    NO_STANDBY = "NoStandby"
    STANDBY_ASYNCHRONOUS = "StandbyAsynchronous"
    WRONG_TIMELINE = "WrongTimeline"
    NOT_UNTOUCHED = "NotUntouched"
    LOSS_TOO_LARGE = "LossTooLarge"
    LOSS_UNKNOWN = "LossUnknown"
    LAG_TOO_LARGE = "LagTooLarge"
    LAG_UNKNOWN = "LagUnknown"
    DISK_TOO_FULL = "DiskTooFull"
    UNREACHABLE = "Unreachable"
    PAUSED = "Paused"
    DRILLS_STOPPED = "DrillsStopped"
    OUTSIDE_WINDOW = "OutsideWindow"
    DRILL_FAILED = "DrillFailed"
    WITHDRAWN = "Withdrawn"
    PLAN_CHANGED = "PlanChanged"
    APPROVAL_REJECTED = "ApprovalRejected"
    APPROVAL_EXPIRED = "ApprovalExpired"
    CHECKLIST_OPEN = "ChecklistOpen"
    RECORD_CHANGED = "RecordChanged"
    CHANGED_BY_ANOTHER = "ChangedByAnother"
    SUPERSEDED = "Superseded"
    UNCLEAN_STOP = "UncleanStop"
    CANDIDATE_BEHIND = "CandidateBehind"
    CANDIDATE_FAILED = "CandidateFailed"
    PROMOTION_REFUSED = "PromotionRefused"
    NODE_ALIVE = "NodeAlive"
    NODE_NOT_READY = "NodeNotReady"
    NO_ROOM = "NoRoom"
    LONELY_PODS = "LonelyPods"
    BLOCKED = "Blocked"
    NOT_WHOLE = "NotWhole"
    NOT_THE_PODS = "NotThePods"
    NOT_VERIFIED = "NotVerified"
    NOT_THE_BACKENDS = "NotTheBackends"
    TOO_FEW_BACKENDS = "TooFewBackends"
    CHANGE_REFUSED = "ChangeRefused"
    CHANGE_FAILED = "ChangeFailed"
    BUDGET_SPENT = "BudgetSpent"
    ROLLED_BACK = "RolledBack"
    ROLLBACK_INCOMPLETE = "RollbackIncomplete"
    STRANDED = "Stranded"


def refuse(kind: Refusal, message: str) -> ApplicationError:
    """Return the error that ends a step for good; ``message`` names an object and a number or a name."""
    return ApplicationError(message[:_LONGEST_MESSAGE], type=kind.value, non_retryable=True)


def retry_in(delay: timedelta, message: str) -> ApplicationError:
    """Return the error that asks for another attempt after ``delay``, whatever the posture's back-off says."""
    return ApplicationError(message[:_LONGEST_MESSAGE], type="TryAgain", next_retry_delay=delay)


class UnreachableError(Exception):
    """Nobody answered: refused connection, timeout, no such name. Says whom, and how long was waited."""

    def __init__(self, message: str, silence: Silence = Silence.UNKNOWN) -> None:
        """Keep the kind of silence beside the sentence."""
        super().__init__(message)
        self.silence = silence


class WriteFailedError(Exception):
    """A probing write was not acknowledged."""

    def __init__(self, code: str, message: str) -> None:
        """Keep the code, by which reports count."""
        super().__init__(message)
        self.code = code
