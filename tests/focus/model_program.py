"""Judges CSV files by the model of FOCUS 1.4, in the environment of the model; prints findings as JSON."""

# mypy: ignore-errors

import csv
import json
import sys
from decimal import Decimal
from pathlib import Path

NAMES = {
    "CostAndUsage": "Cost and Usage",
    "ContractCommitment": "Contract Commitment",
    "BillingPeriod": "Billing Period",
    "InvoiceDetail": "Invoice Detail",
}
CONDITIONS = ("SupportsMultiplePricingCategories", "SupportsUnitPricing")
"""The features of the service, in the words of the specification; rules about others do not apply to it."""


def main(given: list[str]) -> None:
    """Judge the files named as DATASET=PATH."""
    from focus_data_toolkit.model.validator import lint_focus_1_4_structure
    from focus_data_toolkit.validate.bundle import validate_dataset_bundle

    bundle, lint = {}, {}
    for one in given:
        dataset, _, path = one.partition("=")
        with Path(path).open(newline="", encoding="utf-8-sig") as text:
            bundle[NAMES[dataset]] = list(csv.DictReader(text))
        report = lint_focus_1_4_structure(NAMES[dataset], bundle[NAMES[dataset]], supported_conditions=CONDITIONS)
        lint[dataset] = report.messages()
    # Every amount agrees to the micro-unit.
    report = validate_dataset_bundle(bundle, invoice_detail_authoritative=True, rounding_tolerance=Decimal(0))
    between = [f"{one.severity.value} {one.code}: {one.message}" for one in report.diagnostics]
    print(json.dumps({"lint": lint, "between": between, "checks": list(report.checks_run)}))


if __name__ == "__main__":
    main(sys.argv[1:])
