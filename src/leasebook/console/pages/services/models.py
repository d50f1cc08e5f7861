"""Sets of models and their versions: who made and approved them."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.responses import Response

from leasebook.api.fault import Fault
from leasebook.console.desk import Desk
from leasebook.console.frame import words
from leasebook.contract.action import MODEL, SERVICE

PAGE: Final = 50
SOURCES: Final = ("UserCreate", "System")
NOTICES: Final = {
    "approved": words.marked("It is approved, and may run on every engine."),
    "withdrawn": words.marked("The approval is withdrawn."),
}


async def models(desk: Desk) -> Response:
    """List the sets, newest first; or go to the version whose id an operator typed."""
    if desk.asked("version"):
        return desk.go(f"/models/versions/{desk.asked('version')}")
    asked: dict[str, Any] = {"maxKeys": PAGE, "pageReverse": True}
    for name, key in (("name", "name"), ("marker", "marker")):
        if desk.asked(name):
            asked[key] = desk.asked(name)
    if desk.asked("source") in SOURCES:
        asked["source"] = desk.asked("source")
    found, fault = await desk.try_to(MODEL, "DescribeModelSets", asked)
    if fault is not None:
        raise fault
    return desk.page("services/models.html", found=found, name=desk.asked("name"), source=desk.asked("source"))


async def model_set(desk: Desk) -> Response:
    """Show a set and a page of its versions."""
    set_id, marker = desk.request.path_params["set"], desk.asked("marker")
    asked = {"modelSetId": set_id, "maxKeys": PAGE} | ({"marker": marker} if marker else {})
    return desk.page("services/model_set.html", found=await desk.do(MODEL, "DescribeModelSet", asked))


async def version(desk: Desk) -> Response:
    """Show a version: how it is run, and who made and approved it."""
    return await _version(desk)


async def approve(desk: Desk) -> Response:
    """Let a version run on engines that do not keep it apart, too."""
    return await _decided(desk, "ApproveModel", "approved")


async def withdraw(desk: Desk) -> Response:
    """Take an approval back, once the reader is sure."""
    if desk.field("sure") != "1":
        found = await desk.do(MODEL, "DescribeModel", {"modelId": desk.request.path_params["version"]})
        return desk.page("services/sure_withdraw.html", found=found)
    return await _decided(desk, "WithdrawModelApproval", "withdrawn")


async def _decided(desk: Desk, action: str, done: str) -> Response:
    model_id = desk.request.path_params["version"]
    try:
        await desk.do(MODEL, action, {"modelId": model_id}, client_token=desk.field("once") or None)
    except Fault as fault:
        return await _version(desk, fault)
    return desk.go(f"/models/versions/{model_id}", done=done)


def _run_text(run: Any) -> str:
    """Return how a version is run as people read it, without the fields that say nothing."""
    kept = {name: value for name, value in msgspec.to_builtins(run).items() if value not in (None, [], {})}
    return msgspec.json.format(msgspec.json.encode(kept), indent=2).decode()


async def _version(desk: Desk, fault: Fault | None = None) -> Response:
    found = await desk.do(MODEL, "DescribeModel", {"modelId": desk.request.path_params["version"]})
    # Operators see versions of other accounts, too, and their own account has no use for those.
    own_set, _ = await desk.try_to(MODEL, "DescribeModelSet", {"modelSetId": found.model_set_id, "maxKeys": 1})
    run = None if found.run is None else _run_text(found.run)
    return desk.page(
        "services/version.html",
        200 if fault is None else fault.error.status,
        found=found,
        run=run,
        may_use=own_set is not None and desk.can(SERVICE, "CreateService"),
        notice=desk.gettext(NOTICES[desk.asked("done")]) if desk.asked("done") in NOTICES else "",
        fault=fault,
    )
