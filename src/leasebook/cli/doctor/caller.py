"""The faults of a caller's set-up, found with what a caller has: an address, a key, and the answers of the server."""

from __future__ import annotations

import json
import re
import ssl
import stat
import time
from collections.abc import Generator, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from leasebook import __version__
from leasebook.addressing.host_port import web_of
from leasebook.cli.doctor.finding import Finding, nothing_runs
from leasebook.cli.terminal.texts import _, of_error, of_finding

if TYPE_CHECKING:
    import httpx2

TIMEOUT_S: Final = 10.0
SKEW_MAX_S: Final = 60
"""A greater difference of clocks is a finding, in seconds. A Date header is whole seconds, and an answer takes some."""
AHEAD_MAX_S: Final = 300
"""A signature that is dated further ahead is refused, in seconds."""
OK: Final = 200
NOT_READY: Final = 503
TITLE: Final = "Leasebook"
_SIGNED: Final = re.compile(r"^POST\n(?P<path>/[^\n]*)\n[^\n]*\n(?:[^\n]*\n)*?host:(?P<host>[^\n]*)", re.MULTILINE)
"""The lines that the server expected to be signed, in the message of a signature that does not fit."""
_LOST: Final = re.compile(r"^leasebook_audit_lost_total\S* ([0-9.e+]+)$", re.MULTILINE)
_PROXIES: Final = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "https_proxy", "http_proxy")


class Given(NamedTuple):
    """The parts of the connection that the command line gives; None: the environment or a profile gives it."""

    url: str | None
    access_key: str | None
    secret_key: str | None
    profile: str | None


def caller_findings(given: Given, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the faults of a caller's set-up. A fault that hides all others is the last one."""
    from leasebook.client.connection import DEFAULT_URL, VARIABLES, connection
    from leasebook.client.errors import ConfigurationError

    yield from _profile(environment)
    keys = None
    try:
        keys = connection(*given[:3], profile=given.profile, environment=environment).keys
    except ConfigurationError as error:
        yield Finding(
            "BadConfiguration",
            str(error),
            _("An address and an access key with its secret, each from an option, the environment or a profile."),
            _("Set what the first line names, and run doctor again."),
        )
    named = next((environment[name] for name in VARIABLES["url"] if environment.get(name)), None)
    url = keys.url if keys is not None else given.url or named or DEFAULT_URL
    try:
        address = str(web_of(url))
    except ValueError:
        # The finding before says so.
        return
    found = yield from server_findings(address, environment)
    if found and keys is not None:
        yield from _call(address, keys.access_key, keys.secret_key)


def _profile(environment: Mapping[str, str]) -> Iterator[Finding]:
    from leasebook.client.connection import profile_file

    path = profile_file(environment)
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        has_secret = "secret_key" in path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    if has_secret and mode & 0o077:
        yield Finding(
            "ProfileOpen",
            _(
                "The file of profiles {path} has mode {mode:04o}, and a secret in it: others on this machine may read "
                "it."
            ).format(path=path, mode=mode),
            _("Mode 0600: only its owner reads it."),
            _(
                "Run: chmod 600 {path}. If others may have read it, replace the key (docs/how-to/rotate-a-key.md)."
            ).format(path=path),
        )


def server_findings(address: str, environment: Mapping[str, str]) -> Generator[Finding, None, bool]:
    """Yield the faults that show without a key; returns whether the server is one to call."""
    import httpx2

    with httpx2.Client(timeout=TIMEOUT_S) as connection:
        before = time.time()
        try:
            answer = connection.get(f"{address}/openapi.json")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            yield _unreachable(address, error, environment)
            return False
        between = (before + time.time()) / 2
        about = _about(answer)
        if about is None:
            yield Finding(
                "NotLeasebook",
                _("{address} answers {status}, and not as Leasebook does.").format(
                    address=address, status=answer.status_code
                ),
                _("The address at which Leasebook serves, with the path that the setting path_prefix names, if any."),
                _(
                    "Compare --url with the line “Leasebook serves on” of the server's start; a proxy must pass all "
                    "paths."
                ),
            )
            return False
        yield from _clock(answer, between)
        yield from _version(str(about.get("version", "")))
        yield from _monitors(connection, address)
    return True


def _unreachable(address: str, error: Exception, environment: Mapping[str, str]) -> Finding:
    said = " ".join(str(error).split()) or type(error).__name__
    if _is_tls(error):
        return Finding(
            "TlsFails",
            _("{address} cannot be called over TLS: {said}.").format(address=address, said=said),
            _(
                "A certificate that this machine trusts, for the name in the address, and of today; http:// only "
                "without TLS."
            ),
            _(
                "Give the name that the certificate has. For an authority of your own, set SSL_CERT_FILE to its "
                "certificate. Write http:// if the server serves no TLS, and https:// if it does."
            ),
        )
    proxies = [name for name in _PROXIES if environment.get(name)]
    return Finding(
        "NotReachable",
        _("{address} does not answer: {said}.").format(address=address, said=said),
        _("An address at which the server listens, and that firewalls and proxies between let through."),
        _("Start the server, or correct --url.")
        + (_(" Calls go through the proxy that {names} names.").format(names=", ".join(proxies)) if proxies else ""),
    )


def _is_tls(error: BaseException | None) -> bool:
    """Whether an error comes from TLS, or from plain HTTP at a port that speaks TLS."""
    while error is not None:
        if isinstance(error, ssl.SSLError) or "SSL" in str(error) or "CERTIFICATE" in str(error).upper():
            return True
        error = error.__cause__ or error.__context__
    return False


def _about(answer: httpx2.Response) -> Mapping[str, Any] | None:
    """Return what the server says of itself; None: it is no Leasebook."""
    if answer.status_code != OK:
        return None
    try:
        about = answer.json()["info"]
    except (ValueError, KeyError, TypeError):
        return None
    return about if isinstance(about, Mapping) and about.get("title") == TITLE else None


def _clock(answer: httpx2.Response, now: float) -> Iterator[Finding]:
    try:
        theirs = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return
    skew = round(now - theirs)
    if abs(skew) > SKEW_MAX_S:
        yield Finding(
            "ClockSkew",
            (
                _("This machine's clock is {seconds} seconds ahead of the server's.")
                if skew > 0
                else _("This machine's clock is {seconds} seconds behind the server's.")
            ).format(seconds=abs(skew)),
            _(
                "At most {most} seconds apart: a signature that is dated further ahead is refused, and one that is "
                "too old."
            ).format(most=AHEAD_MAX_S),
            _(
                "Set this machine's clock, or have it follow a time server. If another clock agrees with it, tell the "
                "operator."
            ),
        )


def _version(version: str) -> Iterator[Finding]:
    theirs, ours = _numbers(version), _numbers(__version__)
    if theirs < ours:
        yield Finding(
            "OldServer",
            _("The server has version {theirs}, and this program {ours}.").format(
                theirs=version or _("(unknown)"), ours=__version__
            ),
            _("A server at least as new: an older one does not know some actions and fields, and passes fields over."),
            _("Ask the operator to upgrade the server, or install leasebook=={theirs} here.").format(theirs=version),
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]+", version)[:3])


def _monitors(connection: httpx2.Client, address: str) -> Iterator[Finding]:
    """Yield what the server says to monitors. A server with a port for operators says the reasons only there."""
    import httpx2

    at = urlsplit(address)
    try:
        ready = connection.get(f"{at.scheme}://{at.netloc}/readyz")
        metrics = connection.get(f"{at.scheme}://{at.netloc}/metrics")
    except httpx2.HTTPError:
        return
    said = _json(ready.text)
    if ready.status_code == NOT_READY and said.get("status") == "not ready":
        for reason in said.get("reasons") or [_("it gives no reason here")]:
            yield Finding(
                "NotReady",
                _("The server is not ready: {reason}").format(reason=of_finding(str(reason))),
                _("The page /readyz says ready: writes are taken, and due work is done in time."),
                _("The operator mends what the reason names; the port for operators and the server's log say more."),
            )
    for warning in said.get("warnings") or ():
        yield nothing_runs(str(warning))
    lost = _LOST.search(metrics.text) if metrics.status_code == OK else None
    if lost is not None and float(lost[1]):
        yield Finding(
            "AuditEntriesLost",
            _("{count:.0f} entries of the audit log are only in the server's log, since its start.").format(
                count=float(lost[1])
            ),
            _("None: leasebook_audit_lost_total is 0, and every entry is in the store."),
            _(
                "Keep the lines “an audit entry is here and not in the store” of the server's log, and see why the "
                "store did not take them."
            ),
        )


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _call(address: str, access_key: str, secret_key: str) -> Iterator[Finding]:
    """Make one signed call, which changes nothing, and read what its answer says of the key and the account."""
    from leasebook.cli.caller import NoAnswer, post

    try:
        status, text = post(address, "/v2/account", "DescribeAccount", "{}", access_key, secret_key)
    except NoAnswer as error:
        yield _unreachable(address, error, {})
        return
    said = _json(text)
    if status == OK:
        yield from _account(said.get("result") or {})
    else:
        yield _refusal(address, access_key, status, str(said.get("code", "")), str(said.get("message", text[:200])))


def _account(account: Mapping[str, Any]) -> Iterator[Finding]:
    named = f"{account.get('name')} ({account.get('accountId')})"
    if account.get("status", "Active") != "Active":
        reason = account.get("statusReason")
        yield Finding(
            "AccountNotActive",
            _("The account {name} is {status}.").format(name=named, status=account["status"])
            + (_(" The operator's reason: {reason}").format(reason=reason) if reason else ""),
            _("Active: nothing is bought or made in an account that is suspended or closed."),
            _("Ask the operator. ResumeAccount ends a suspension; nothing reopens a closed account."),
        )
    if account.get("arrearsSince"):
        yield Finding(
            "AccountInArrears",
            _("The account {name} has the balance {balance} {currency}, and is in arrears since {since}.").format(
                name=named,
                balance=account.get("balance"),
                currency=account.get("currency"),
                since=account["arrearsSince"],
            ),
            _("A balance of 0 or more. In arrears nothing is bought, and after the grace period instances stop."),
            _("Have the account topped up: TopUpAccount, by an operator."),
        )


def _refusal(address: str, access_key: str, status: int, code: str, message: str) -> Finding:
    """Return the finding of a call that the server refused."""
    match code:
        case "SignatureDoesNotMatch":
            return _mismatch(address, access_key, message)
        case "RequestExpired":
            return Finding(
                "ClockSkew",
                message,
                _(
                    "At most {most} seconds apart: a signature that is dated further ahead is refused, and one that "
                    "is too old."
                ).format(most=AHEAD_MAX_S),
                _(
                    "Set this machine's clock, or have it follow a time server. If another clock agrees with it, tell "
                    "the operator."
                ),
            )
        case "InvalidAccessKeyId":
            return Finding(
                "KeyUnknown",
                _("The server at {address} has no active access key {key}.").format(address=address, key=access_key),
                _(
                    "A key of this server that is not disabled. A key of another server, or of the cloud, is unknown "
                    "here."
                ),
                _(
                    "Compare --url and the key: they must be of one server. DescribeUsers shows whether the key is "
                    "disabled, and EnableAccessKey enables it; the operator's doctor --data … --access-key tells both "
                    "apart."
                ),
            )
        case "AccessDenied":
            return Finding(
                "NoPolicies",
                _("The key is good, and its user may not even look at its own account: {message}").format(
                    message=of_error(message)
                ),
                _("A user with at least one policy for reading, such as QianfanReadAccessPolicy."),
                _("Have a user with full control, or an operator, attach one: AttachPolicy (docs/api/policies.md)."),
            )
    return Finding(
        "CallRefused",
        _("A call that only reads was answered {status} {code}: {message}").format(
            status=status, code=code, message=of_error(message)
        ),
        _("The answer 200."),
        _("Do what the message says; docs/api/errors.md explains the code."),
    )


def _mismatch(address: str, access_key: str, message: str) -> Finding:
    """Tell a request that was changed on its way from a secret that is another one.

    The message has the lines that the server expected to be signed: the Host and the path that reached it.
    """
    at = web_of(address)
    sent = str(at).partition("://")[2].partition("/")[0]
    seen = _SIGNED.search(message)
    if seen is not None and (host := unquote(seen["host"])) != sent:
        return Finding(
            "HostRewritten",
            _(
                "The Host {sent} was sent, and {host} reached the server: a proxy rewrites it, so no signature fits."
            ).format(sent=sent, host=host),
            _("The Host as the client sent it: it is part of what is signed. The key itself is not in doubt."),
            _(
                "Have the proxy pass the Host on: “proxy_set_header Host $http_host;” in nginx, “ProxyPreserveHost "
                "On” in "
                "Apache (docs/operating/network.md)."
            ),
        )
    path = at.path + "/v2/account"
    if seen is not None and unquote(seen["path"]) != path:
        return Finding(
            "PathRewritten",
            _("The path {sent} was sent, and {path} reached the server, so no signature fits.").format(
                sent=path, path=unquote(seen["path"])
            ),
            _("The path as the client sent it, or without the prefix that the setting path_prefix names."),
            _("Have the proxy leave the path as it is, or set path_prefix to the prefix that it takes off."),
        )
    return Finding(
        "WrongSecret",
        _(
            "The request reached the server unchanged, and the signature does not fit: the secret of {key} is another "
            "one."
        ).format(key=access_key),
        _("The secret that was shown when the key was made; it belongs to this access key only."),
        _("Take key and secret from one place. If the secret is lost, make another key: CreateAccessKey."),
    )
