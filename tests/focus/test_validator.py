"""The verdicts of the FinOps Foundation's own validator on the exports."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from leasebook.export.focus.versions import VERSION
from tests.conformance.toolchains import Toolchain
from tests.focus.exports import exported
from tests.focus.life import ExportScenario, Month
from tests.focus.validator import Verdict, models, rules_of, validate

MONTHS: tuple[Month, ...] = ((2028, 2), (2028, 3))
"""January fails no rule at all with the mended ones, below, which is more."""
RULES_MIN = 250
"""Fewest rules that check a file; many more are about its maker and not about the file, and are skipped."""

NULL = {"CheckFunction": "CheckValue", "ColumnName": "CapacityReservationId", "Value": None}
RESERVED = {**NULL, "CheckFunction": "CheckNotValue"}
USAGE = {"CheckFunction": "CheckValue", "ColumnName": "ChargeCategory", "Value": "Usage"}
CONDITIONS = {
    "CapacityReservationStatus-C-003-C": NULL,
    "CapacityReservationStatus-C-004-C": {"CheckFunction": "AND", "Items": [RESERVED, USAGE]},
}
"""Conditions that the two rules have in words and the validator drops. So it asks of every row that the status is null,
and that it is not (its issue 142, open)."""
NEVER_BOTH = ("InvoiceId-C-004-C", "InvoiceId-C-005-C")
"""Of every row the one asks that it has no invoice and the other that it has one."""
UNSATISFIABLE = frozenset(
    {
        *CONDITIONS,
        "CapacityReservationStatus-C-002-C",
        "CapacityReservationStatus-C-000-C",
        # The other one of the two passes: every charge is on a statement.
        NEVER_BOTH[0],
    }
)
"""Rules that any file with reserved capacity, used and unused, fails."""


@pytest.mark.usefixtures("validator")
def test_the_export_has_the_newest_version_that_the_validator_knows() -> None:
    newest = max(models(), key=lambda version: tuple(map(int, version.split("."))))
    assert newest == VERSION


@pytest.mark.usefixtures("validator")
def test_the_rules_that_no_file_can_satisfy_are_still_as_they_were() -> None:
    # Where this fails, the validator was mended: take the rule out of the lists above.
    rules = rules_of(models()[VERSION])
    asked = [rules[name]["ValidationCriteria"] for name in NEVER_BOTH]
    assert [criteria["Condition"] for criteria in asked] == [{}, {}]
    assert [criteria["Requirement"]["CheckFunction"] for criteria in asked] == ["CheckValue", "CheckNotValue"]
    assert {criteria["Requirement"]["Value"] for criteria in asked} == {None}
    for name in CONDITIONS:
        assert list(rules[name]["ValidationCriteria"]["Condition"]) == ["AND"]


@pytest.mark.deep
@pytest.mark.parametrize(("month", "suffix"), [*zip(MONTHS, ("parquet", "csv"), strict=True)])
def test_a_month_fails_no_rule_but_those_that_no_file_can_satisfy(
    validator: Toolchain, life: ExportScenario, tmp_path: Path, month: Month, suffix: str
) -> None:
    file = exported(life.directory, month, tmp_path / f"costs.{suffix}")
    verdict = validate(validator, file, VERSION, tmp_path / "run")
    assert verdict.failed == UNSATISFIABLE
    assert verdict.passed > RULES_MIN


def mended(folder: Path) -> Path:
    """Return the validator's rules with the two conditions as they are meant, and without the one that is never so."""
    folder.mkdir()
    path = models()[VERSION]
    model = json.loads(path.read_text())
    for name, condition in CONDITIONS.items():
        model["ModelRules"][name]["ValidationCriteria"]["Condition"] = condition
    model["ModelRules"][NEVER_BOTH[0]]["Type"] = "Dynamic"
    (folder / path.name).write_text(json.dumps(model))
    return folder


def test_with_those_mended_a_month_fails_no_rule(validator: Toolchain, life: ExportScenario, tmp_path: Path) -> None:
    file = exported(life.directory, (2028, 1), tmp_path / "costs.parquet")
    assert _judged(validator, file, tmp_path).failed == frozenset()


@pytest.mark.deep
def test_a_file_with_a_mistake_in_each_of_two_columns_fails_their_rules(
    validator: Toolchain, life: ExportScenario, tmp_path: Path
) -> None:
    file = exported(life.directory, (2028, 1), tmp_path / "costs.csv")
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        if row["CapacityReservationStatus"] == "Used":
            row["CapacityReservationStatus"] = ""
        if row["ChargeCategory"] == "Purchase":
            row["EffectiveCost"] = row["BilledCost"]
    with file.open("w", newline="") as goal:
        writer = csv.DictWriter(goal, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    failed = _judged(validator, file, tmp_path).failed
    assert {"CapacityReservationStatus-C-004-C", "EffectiveCost-C-005-C"} <= failed


def _judged(validator: Toolchain, file: Path, folder: Path) -> Verdict:
    verdict = validate(validator, file, VERSION, folder / "run", mended(folder / "rules"))
    assert verdict.passed > RULES_MIN
    return verdict
