"""A real Temporal server of one's own, for tests and recordings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from temporalio.testing import WorkflowEnvironment

from workflows.run.payloads import DATA_CONVERTER
from workflows.run.state import SEARCH_ATTRIBUTES

_ATTEMPTS = 6


async def start_server(**options: Any) -> WorkflowEnvironment:
    """Start it. The SDK gives it 5 seconds, and a busy machine takes longer now and then: so it is tried some times."""
    for left in reversed(range(_ATTEMPTS)):
        try:
            return await WorkflowEnvironment.start_local(
                dev_server_existing_path=str(Path(sys.executable).parent / "temporal"),
                search_attributes=SEARCH_ATTRIBUTES,
                data_converter=DATA_CONVERTER,
                **options,
            )
        except RuntimeError as error:
            if not left or "did not start within" not in str(error):
                raise
    raise AssertionError
