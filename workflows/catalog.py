"""Every workflow and every group of steps that a worker serves."""

from __future__ import annotations

from workflows.doctor import Doctor
from workflows.postgres_failover import PostgresFailover
from workflows.postgres_rejoin import PostgresRejoin

WORKFLOWS = (PostgresFailover, PostgresRejoin, Doctor)
