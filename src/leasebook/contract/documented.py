"""The actions that the public documents and the official clients have; all others are additions of ours.

The documented actions ignore keys that they do not know, as the cloud does. Our own refuse them (decision 21).
"""

from __future__ import annotations

from typing import Final

UNIT_NAMES: Final = (
    "PurchaseComputeUnit",
    "DescribeComputeUnits",
    "DescribeComputeUnit",
    "ReleaseComputeUnit",
    "AutoReleaseComputeUnit",
)
CHARGE_NAMES: Final = (
    "PurchaseServiceResource",
    "DescribeServiceResources",
    "DescribeServiceResource",
    "DescribeServiceResourceList",
    "ReleaseServiceResource",
    "ResizeComputeUnit",
    "CreateAutoRenewRules",
    "PurchaseTPMResource",
    "DescribeTPMResource",
    "ReleaseTPMResource",
    "ResizeTPMResource",
    "AutoReleaseTPMResource",
    "DescribePackageResources",
    "DescribePackageResource",
)
SERVICE_NAMES: Final = (
    "CreateService",
    "ModifyService",
    "DescribeServices",
    "DescribeService",
    "DescribeServiceMetric",
    "DescribeServiceStats",
    "DescribePresetServices",
    "ScaleService",
    "DeactivateService",
    "AttachLogStore",
)
MODEL_NAMES: Final = (
    "CreateCustomModelSet",
    "CreateCustomModel",
    "DescribeCustomModelSets",
    "DescribeSystemModelSets",
    "DescribeModelSet",
    "DescribeModel",
    "DeleteModel",
    "DeleteModelSet",
)
DOCUMENTED: Final[frozenset[tuple[str, str]]] = frozenset(
    (path, name)
    for path, names in (
        ("/v2/computeunit", (*UNIT_NAMES, "ResizeComputeUnit")),
        ("/v2/serviceresources", UNIT_NAMES),
        ("/v2/charge", (*UNIT_NAMES, *CHARGE_NAMES)),
        ("/v2/service", SERVICE_NAMES),
        ("/v2/model", MODEL_NAMES),
        ("/wenxinworkshop/modelrepo/modelVersionDetail", ("DescribeModelVersion",)),
    )
    for name in names
)
"""The path and name of each."""
