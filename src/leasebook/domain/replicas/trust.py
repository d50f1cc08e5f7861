"""Trust: a model version that no operator created or approved runs only where an engine isolates it.

A version names the command that runs. On an engine without complete isolation that command could read and stop
processes of the control plane and of other accounts, so every user who may add versions could.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from leasebook.domain.model.model import Model
from leasebook.domain.model.offering import Offering
from leasebook.domain.replicas.engine_route import engine_for
from leasebook.domain.values.refusal import UNTRUSTED, Refusal
from leasebook.domain.values.rule_settings import Rules


def is_exposed(rules: Rules, model: Model | None, region: str, unit_type: str) -> bool:
    """Whether a version would run without isolation although no operator trusts it. None: no version runs."""
    return (
        model is not None
        and not model.is_trusted
        and bool(_missing(rules, engine_for(rules.routes, region, unit_type)))
    )


def check_trust(
    rules: Rules, model: Model | None, places: Iterable[tuple[str, str]], *, field: str | None = "modelId"
) -> None:
    """Raise Refusal (UNTRUSTED) if a version may not run at one of some places, each a region and a type.

    ``field`` is the caller's field that names the version; None: the caller named a service that runs it.
    """
    for region, unit_type in places:
        if model is not None and is_exposed(rules, model, region, unit_type):
            raise _refused(rules, model, engine_for(rules.routes, region, unit_type), field)


def check_trusted_somewhere(
    rules: Rules, model: Model | None, offerings: Iterable[Offering], *, field: str | None = "modelId"
) -> None:
    """Raise Refusal (UNTRUSTED) if a version may run at none of some offerings; no offerings, no refusal.

    ``field`` is as in `check_trust`.
    """
    found = list(offerings)
    if found and all(is_exposed(rules, model, one.region, one.type) for one in found):
        check_trust(rules, model, [(found[0].region, found[0].type)], field=field)


def hindrances(rules: Rules, model: Model | None, engines: Iterable[str]) -> Iterator[str]:
    """Yield, for each engine that may not run a version, the reason."""
    if model is not None and not model.is_trusted:
        for engine in sorted(set(engines)):
            if _missing(rules, engine):
                yield why_not(model, engine, _missing(rules, engine))


def why_not(model: Model, engine: str, missing: Iterable[str]) -> str:
    """Return why an engine does not run a version, and how that can be changed."""
    whose = (
        "an operator took back its approval" if model.withdrawn_at is not None else "no operator made or approved it"
    )
    return (
        f"The version {model.id} is not trusted ({whose}), and the engine {engine} does not keep a replica apart "
        f"completely. Missing: {', '.join(missing)}. Ask an operator to approve the version (ApproveModel, /v2/model), "
        "or to provide what is missing."
    )


def _missing(rules: Rules, engine: str) -> tuple[str, ...]:
    return rules.missing.get(engine, ())


def _refused(rules: Rules, model: Model, engine: str, field: str | None) -> Refusal:
    return Refusal(UNTRUSTED, why_not(model, engine, _missing(rules, engine)), field=field)
