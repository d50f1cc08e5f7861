"""Users of an account: their policies, mail addresses, languages, and how many keys they have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any, Final, get_args

from leasebook.cli.house import schema, words
from leasebook.cli.house.kinds import project_policies
from leasebook.cli.house.kinds.kind import AccountKind, Place
from leasebook.cli.house.kinds.names import found_by, labels
from leasebook.cli.house.plan import CHANGE, END, MAKE, Plan, Run, Step, change
from leasebook.cli.house.reading import Node, Text, escaped
from leasebook.cli.house.secrets_file import Asked
from leasebook.cli.house.server import EVENTS, IAM, Making, Server
from leasebook.cli.house.words import BadHouse
from leasebook.contract.nouns.user import CreateUserRequest, Language, SetUserContactRequest
from leasebook.contract.policies import PolicyName

KEYS_MAX: Final = 10
EVERYBODY: Final = "*"
_CONTACT: Final[tuple[str, ...]] = ("email", "language")

UserRow = Mapping[str, Any]


@dataclass(frozen=True)
class UserWanted:
    """A user of the file. ``policies`` None: those for the account stay. ``contact`` has the given fields alone."""

    label: str
    line: int
    id: str | None
    name: str
    policies: tuple[str, ...] | None
    keys: int
    contact: Mapping[str, str | None]
    for_projects: Mapping[str, tuple[str, ...]] | None = None
    """The policies for projects, by their names; None: those of the user stay."""


class Users(AccountKind):
    """The users of an account, except its root."""

    key = "users"

    def read(self, node: Node) -> dict[str, UserWanted]:
        """Read ``users``."""
        found = schema.table(node)
        return {label: _user(label, one, found.line_of(label)) for label, one in found.entries.items()}

    def look(self, server: Server, account_id: str) -> list[UserRow]:
        """Return all users, deleted ones and the root included."""
        return list(server.rows(IAM, "DescribeUsers", "users", accountId=account_id, includeDeleted=True))

    def absent(self) -> list[UserRow]:
        """Return no users."""
        return []

    def plan(self, place: Place, plan: Plan) -> None:
        """Add a step for each user that is to be made or changed."""
        for wanted in place.wanted[self.key].values():
            row = found(place, wanted)
            plan.add([_make(place, wanted)] if row is None else list(_changes(place, wanted, row)))

    def prune(self, place: Place, plan: Plan, server: Server) -> None:
        """Add a step for each user that the caller made and the file does not have."""
        extra = _extra(place)
        if not extra or place.account is None:
            return
        account_id = place.account["accountId"]
        told = server.rows(EVENTS, "DescribeEvents", "events", accountId=account_id, types=["iam.userCreated"])
        made = {one["data"]["targetUserId"] for one in told if one["data"].get("userId") == place.maker}
        for row in extra:
            thing = words.user(row["name"], place.label)
            if row["userId"] == place.maker:
                plan.hindered.append(words.is_you(thing))
            elif row["userId"] not in made:
                plan.left.append(words.of_another(thing))
            else:
                body = {"accountId": account_id, "userId": row["userId"]}
                plan.ends.append(Step(END, thing, _calls("DeleteUser", body)))

    def left(self, place: Place) -> list[str]:
        """Return the users that the file does not have."""
        return [words.user(row["name"], place.label) for row in _extra(place)]

    def unfetched(self, place: Place, asked: Asked) -> bool:
        """Whether a user has a key whose secret was asked for, and did not arrive."""
        if asked.action != "CreateAccessKey":
            return False
        keys = (key for row in place.there[self.key] if row["userId"] == asked.body["userId"] for key in _active(row))
        return any(key not in asked.known for key in keys)

    def write(self, place: Place) -> dict[str, Any] | None:
        """Write the users."""
        rows = living(place)
        named = sorted(zip(_labels(rows).values(), rows, strict=True), key=itemgetter(0))
        return {escaped(label): _written(place, label, row) for label, row in named}


def living(place: Place) -> list[UserRow]:
    """Return the users that the file may name: neither deleted nor the root."""
    return [row for row in place.there[Users.key] if "deletedTime" not in row and not row["isRoot"]]


def found(place: Place, wanted: UserWanted) -> UserRow | None:
    """Return the user that the file means; None: it is not there yet. Raises BadHouse."""
    return found_by(living(place), "userId", wanted.id, wanted.name, wanted.line)


def id_of(place: Place, name: str, line: int) -> str | None:
    """Return the id of a user whom the file names; None: the run makes the user. Raises BadHouse."""
    wanted: Mapping[str, UserWanted] = place.wanted.get(Users.key) or {}
    if name == EVERYBODY:
        return name
    if name in wanted:
        row = found(place, wanted[name])
        return None if row is None else str(row["userId"])
    rows = place.there[Users.key]
    if any(row["userId"] == name for row in rows):
        return name
    row = found_by(living(place), "userId", None, name, line)
    if row is None:
        known = (*wanted, *(row["name"] for row in living(place)))
        raise BadHouse(words.no_user(name, place.label, schema.nearest(name, known)), line)
    return str(row["userId"])


def label_of(place: Place, user_id: str) -> str:
    """Return how the file names a user: by the label, or by the id where it has none."""
    for wanted in (place.wanted.get(Users.key) or {}).values():
        row = found(place, wanted)
        if row is not None and row["userId"] == user_id:
            return str(wanted.label)
    return _labels(living(place)).get(user_id, user_id)


def _labels(rows: list[UserRow]) -> dict[str, str]:
    return labels(rows, "userId", (EVERYBODY,))


def _user(label: str, node: Node, line: int) -> UserWanted:
    given = schema.fields(
        node,
        {
            "id": schema.text,
            "name": schema.text,
            "policies": schema.many(schema.one_of(*get_args(PolicyName))),
            project_policies.KEY: project_policies.read,
            "keys": schema.count,
            "email": _or_none(schema.text),
            "language": _or_none(schema.one_of(*get_args(Language))),
        },
    )
    name, keys = given.get("name", label), given.get("keys", 0)
    contact = {field: given[field] for field in _CONTACT if field in given}
    schema.fitting(CreateUserRequest, {"name": name}, line, {})
    schema.fitting(SetUserContactRequest, {"userId": "id", **contact}, line, {})
    if keys > KEYS_MAX:
        raise BadHouse(words.too_many_keys(keys, KEYS_MAX), line)
    policies = tuple(dict.fromkeys(given["policies"])) if "policies" in given else None
    for_projects = given.get(project_policies.KEY)
    return UserWanted(label, line, given.get("id"), name, policies, keys, contact, for_projects)


def _or_none(parser: Callable[[Node], str]) -> Callable[[Node], str | None]:
    return lambda node: None if isinstance(node, Text) and node.is_null else parser(node)


def _active(row: UserRow) -> list[str]:
    return [key["accessKeyId"] for key in row["accessKeys"] if key["status"] == "Active"]


def _extra(place: Place) -> list[UserRow]:
    wanted = place.wanted.get(Users.key)
    if wanted is None:
        return []
    named = {row["userId"] for one in wanted.values() if (row := found(place, one)) is not None}
    return [row for row in living(place) if row["userId"] not in named]


def _calls(action: str, body: Mapping[str, Any]) -> Callable[[Run], None]:
    def do(run: Run) -> None:
        run.server.call(IAM, action, **body)

    return do


def _make(place: Place, wanted: UserWanted) -> Step:
    known = frozenset(row["userId"] for row in place.there[Users.key])

    def do(run: Run) -> None:
        body = {"accountId": place.account_id(run), "name": wanted.name}

        def there_now() -> list[str]:
            rows = run.server.rows(IAM, "DescribeUsers", "users", accountId=body["accountId"])
            return [row["userId"] for row in rows if row["name"] == wanted.name and not row["isRoot"]]

        making = Making(IAM, "CreateUser", body, "userId", known, there_now)
        made = run.make(making, "user", body["accountId"], wanted.label)
        run.ids["user", place.label, wanted.label] = made["userId"]
        of = {"accountId": body["accountId"], "userId": made["userId"]}
        contact = {field: value for field, value in wanted.contact.items() if value is not None}
        if contact:
            run.server.call(IAM, "SetUserContact", **of, **contact)
        for policy in wanted.policies or ():
            run.server.call(IAM, "AttachPolicy", **of, policyName=policy)
        if wanted.for_projects:
            project_policies.setting(place, wanted.for_projects, None, wanted.line)(run, of)
        _make_keys(run, words.user(wanted.name, place.label), of, [], wanted.keys)

    details = [change(field, None, value) for field, value in wanted.contact.items() if value is not None]
    details += [change("policies", None, wanted.policies)] if wanted.policies else []
    if wanted.for_projects:
        project_policies.check(place, wanted.for_projects, wanted.line)
        asked = project_policies.shown(project_policies.pairs_of(wanted.for_projects))
        details.append(change(project_policies.KEY, None, asked))
    details += [words.new_keys(wanted.keys)] if wanted.keys else []
    return Step(MAKE, words.user(wanted.name, place.label), do, tuple(details), makes_secret=wanted.keys > 0)


def _make_keys(run: Run, thing: str, of: Mapping[str, str], known: list[str], number: int) -> None:
    """Make keys of a user; ``known`` are the ids of the keys that were there before."""

    def there_now() -> list[str]:
        rows = run.server.rows(IAM, "DescribeUsers", "users", accountId=of["accountId"])
        return [key for row in rows if row["userId"] == of["userId"] for key in _active(row)]

    seen = frozenset(known)
    for _ in range(number):
        making = Making(IAM, "CreateAccessKey", of, "accessKeyId", seen, there_now)
        made = run.make_secret(words.key_of(thing), making, "key", of["userId"])
        seen |= {made["accessKeyId"]}


def _changes(place: Place, wanted: UserWanted, row: UserRow) -> list[Step]:
    assert place.account is not None  # noqa: S101 - it has the user
    thing = words.user(wanted.name, place.label)
    of = {"accountId": place.account["accountId"], "userId": row["userId"]}
    details: list[str] = []
    calls: list[Callable[[Run], None]] = []
    if wanted.name != row["name"]:
        details.append(change("name", row["name"], wanted.name))
        calls.append(_calls("RenameUser", {**of, "name": wanted.name}))
    contact = {field: value for field, value in wanted.contact.items() if value != row.get(field)}
    if contact:
        details += [change(field, row.get(field), value) for field, value in contact.items()]
        calls.append(partial(_set_contact, of, contact))
    policies = _policy_calls(of, wanted, row)
    if policies:
        details.append(change("policies", sorted(row["policies"]), sorted(wanted.policies or ())))
        calls += policies
    differs = project_policies.differences(place, wanted.for_projects, row, wanted.line)
    if differs is not None:
        details.append(change(project_policies.KEY, *differs))
        set_policies = project_policies.setting(place, wanted.for_projects or {}, row, wanted.line)
        calls.append(lambda run: set_policies(run, of))
    missing = wanted.keys - len(_active(row))
    if missing > 0:
        details.append(words.new_keys(missing))
        known = [key["accessKeyId"] for key in row["accessKeys"]]
        calls.append(lambda run: _make_keys(run, thing, of, known, missing))

    def do(run: Run) -> None:
        for one in calls:
            one(run)

    return [Step(CHANGE, thing, do, tuple(details), makes_secret=missing > 0)] if calls else []


def _policy_calls(of: Mapping[str, str], wanted: UserWanted, row: UserRow) -> list[Callable[[Run], None]]:
    """Return the calls that give a user the policies of the file, and no others."""
    if wanted.policies is None:
        return []
    given = [policy for policy in wanted.policies if policy not in row["policies"]]
    taken = [policy for policy in row["policies"] if policy not in wanted.policies]
    return [
        *(_calls("AttachPolicy", {**of, "policyName": policy}) for policy in given),
        *(_calls("DetachPolicy", {**of, "policyName": policy}) for policy in taken),
    ]


def _set_contact(of: Mapping[str, str], contact: Mapping[str, str | None], run: Run) -> None:
    run.server.call_exactly(IAM, "SetUserContact", {**of, **contact})


def _written(place: Place, label: str, row: UserRow) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if label != row["name"]:
        facts |= {"id": row["userId"], "name": escaped(row["name"])}
    facts["policies"] = list(row["policies"])
    for_projects = project_policies.written(place, row)
    if for_projects:
        facts[project_policies.KEY] = for_projects
    if _active(row):
        facts["keys"] = len(_active(row))
    facts |= {field: row[field] for field in _CONTACT if row.get(field) is not None}
    return facts
