"""Every workflow and every group of steps that a worker serves."""

from __future__ import annotations

from workflows.doctor import Doctor
from workflows.postgres_adopt import PostgresAdopt
from workflows.postgres_failover import PostgresFailover
from workflows.postgres_pause import PostgresPause
from workflows.postgres_rejoin import PostgresRejoin
from workflows.postgres_rollback import PostgresRollback

WORKFLOWS = (PostgresFailover, PostgresRejoin, PostgresRollback, PostgresPause, PostgresAdopt, Doctor)
