"""The pages of the Temporal UI as a person uses them: what is clicked, typed and read; and pictures of them.

Only this file knows the selectors (UI 2.54). What is waited for is always something on the page.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from playwright.async_api import Locator, Page, expect

from deploy.lab.patience import stretched
from workflows.run.models import TASK_QUEUE

PATIENCE_SECONDS = 20.0
_SETTLED_SECONDS = 3.0
_READ_EVERY_MS = 200


@dataclass
class TemporalUi:
    """One window of the browser."""

    page: Page
    address: str
    """Of the namespace."""
    pictures: Path
    taken: int = 0
    form: tuple[str, str, str] = ("", "", "")
    """Workflow ID, workflow, input: what was typed last."""

    async def picture(self, name: str) -> None:
        """Keep what is on the screen."""
        self.taken += 1
        await self.page.screenshot(path=self.pictures / f"{self.taken:02}-{name}.png", animations="disabled")

    # --- the list

    async def open_list(self) -> None:
        """Open the list of workflows."""
        await self.page.goto(f"{self.address}/workflows")
        await expect(self._link("Start Workflow")).to_be_visible()

    async def go_to_list(self) -> None:
        """Click *Back to Workflows*."""
        await self._link("Back to Workflows").click()
        await expect(self._link("Start Workflow")).to_be_visible()

    def row(self, workflow_id: str) -> Locator:
        """Return the newest row of a workflow in the list."""
        return self.page.locator("tbody tr").filter(has=self._link(workflow_id)).first

    # --- the form

    async def type_start(self, workflow_id: str, workflow: str, text: str) -> None:
        """Click *Start Workflow* in the list, and type all four fields."""
        await self.open_list()
        await self._link("Start Workflow").click()
        await self._fill_in(workflow_id, workflow, text)

    async def follow_start(self, workflow_id: str, workflow: str, text: str) -> None:
        """Follow a link that fills in queue and type, and type the rest."""
        told = urlencode({"taskQueue": TASK_QUEUE, "workflowType": workflow})
        await self.page.goto(f"{self.address}/workflows/start-workflow?{told}")
        await expect(self._named("workflowType")).to_have_value(workflow)
        await self._fill_in(workflow_id, workflow, text)

    async def type_input(self, text: str) -> None:
        """Type the input, instead of what is there."""
        self.form = (*self.form[:2], text)
        await self._type(self.page.locator(".cm-content").first, text)

    @property
    def start_button(self) -> Locator:
        return self._named("start-workflow-button")

    async def start(self) -> None:
        """Click *Start Workflow* and go to the run's page. A form that has lost something while it loaded is typed again."""
        try:
            await expect(self.start_button).to_be_enabled(timeout=stretched(_SETTLED_SECONDS) * 1000)
        except AssertionError:
            await self._fill_in(*self.form)
        await self.start_button.click()
        await self._link("Workflow started successfully").click()
        await expect(self.status).to_be_visible()

    # --- the page of a run

    @property
    def status(self) -> Locator:
        """Status of the run on its page."""
        return self._named("execution-status").first

    async def must_be(self, status: str) -> None:
        """Wait until the page says that the run is so."""
        await expect(self.status).to_have_text(re.compile(f"^\\s*{status}\\s*$", re.IGNORECASE))

    @property
    def main(self) -> Locator:
        return self.page.locator("main")

    @property
    def details(self) -> Locator:
        """What the current details say."""
        return self.page.frame_locator("#user-metadata-current-details").locator("body")

    async def tab(self, name: str) -> None:
        """Open a tab of the run's page."""
        await self._named(f"{name}-tab").click()

    async def read_details(self, says: str) -> None:
        """Open the current details, and press R until they say so."""
        await self.tab("user-metadata")
        async with asyncio.timeout(stretched(PATIENCE_SECONDS)):
            while says not in await self.details.inner_text():
                await self.page.locator("body").press("r")
                await self.page.wait_for_timeout(_READ_EVERY_MS)

    async def query(self, name: str) -> None:
        """Run a query; its answer is in ``main``."""
        await self.tab("queries")
        await self._named("query-select-button").click()
        await self.main.locator("[role=option]").filter(has_text=name).first.click()
        await self.page.get_by_role("button", name="Run Query").click()

    async def cancel(self) -> None:
        """Click *Request Cancellation* and confirm it."""
        await self.page.get_by_role("button", name="Request Cancellation").first.click()
        await self.send()

    # --- More Actions

    async def open_update(self, name: str, text: str) -> None:
        """Open *Send an Update* and fill it in."""
        await self._open("update", name, text)

    async def type_in_dialog(self, text: str) -> None:
        """Type the data anew in the dialog that is open."""
        await self._type(self.dialog.get_by_role("textbox", name="Data"), text)

    async def open_signal(self, name: str, text: str) -> None:
        """Open *Send a Signal* and fill it in."""
        await self._open("signal", name, text)

    @property
    def dialog(self) -> Locator:
        return self.page.locator("dialog[open]")

    async def send(self) -> None:
        """Click what the dialog offers."""
        await self.dialog.locator("[data-testid=confirm-modal-button]").click()

    async def close(self) -> None:
        """Close the dialog."""
        await self.dialog.locator("[data-testid=cancel-modal-button]").click()
        await expect(self.dialog).to_have_count(0)

    async def _open(self, kind: str, name: str, text: str) -> None:
        await self.page.get_by_role("button", name="More Actions").click()
        await self.page.locator(f"[data-testid={kind}-button]:visible").click()
        await self.dialog.locator(f"[data-testid={kind}-select-button]").click()
        await self.dialog.locator("[role=option]").filter(has_text=re.compile(f"^\\s*{name}\\b")).first.click()
        await self.type_in_dialog(text)

    # --- schedules

    async def open_schedule(self, name: str) -> None:
        """Open the page of a schedule from their list."""
        await self.page.goto(f"{self.address}/schedules")
        await self._link(name).click()
        await expect(self.page.locator("#schedule-actions-primary-button")).to_be_visible()

    async def trigger(self) -> None:
        """Have the schedule act now."""
        await self.page.locator("#schedule-actions-menu-button").click()
        await self.page.locator("[data-testid=trigger-schedule]:visible").click()
        await self.send()
        await expect(self.dialog).to_have_count(0)

    async def pause(self, why: str) -> None:
        """Pause the schedule."""
        await self.page.locator("#schedule-actions-primary-button").click()
        await self.dialog.get_by_role("textbox").fill(why)
        await self.send()
        await expect(self.dialog).to_have_count(0)

    async def _fill_in(self, workflow_id: str, workflow: str, text: str) -> None:
        self.form = (workflow_id, workflow, text)
        await self._named("workflowId").fill(workflow_id)
        await self._named("taskQueue").fill(TASK_QUEUE)
        await self._named("workflowType").fill(workflow)
        await self.type_input(text)

    def _link(self, name: str) -> Locator:
        return self.page.get_by_role("link", name=name, exact=True)

    def _named(self, name: str) -> Locator:
        return self.page.locator(f"[data-testid={name}]")

    async def _type(self, editor: Locator, text: str) -> None:
        await editor.click()
        await self.page.keyboard.press("ControlOrMeta+a")
        await self.page.keyboard.insert_text(text)
        await editor.evaluate("one => one.blur()")  # it is laid out anew then, and a click before that is lost
        await expect(editor).to_contain_text(text.strip("{} ").partition(":")[0])
