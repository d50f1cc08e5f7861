"""The table of all kinds. Those of an account are planned in order: users name projects, and limits name users."""

from __future__ import annotations

from typing import Final

from leasebook.cli.house.kinds.accounts import Accounts
from leasebook.cli.house.kinds.kind import AccountKind
from leasebook.cli.house.kinds.limits import GuardRailsKind
from leasebook.cli.house.kinds.offerings import Offerings
from leasebook.cli.house.kinds.projects import Projects
from leasebook.cli.house.kinds.reminders import Reminders
from leasebook.cli.house.kinds.subscriptions import Subscriptions
from leasebook.cli.house.kinds.tag_policy import TagPolicyKind
from leasebook.cli.house.kinds.users import Users

IN_ACCOUNTS: Final[tuple[AccountKind, ...]] = (Projects(), Users(), GuardRailsKind(), Reminders(), TagPolicyKind())
OFFERINGS: Final = Offerings()
ACCOUNTS: Final = Accounts(IN_ACCOUNTS)
SUBSCRIPTIONS: Final = Subscriptions()
