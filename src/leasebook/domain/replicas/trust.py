"""Trust: a version of a model that no operator made or approved runs only where an engine keeps it apart.

A version says which command runs. On an engine that does not isolate completely that command could read and end what
belongs to the control plane and to others, so whoever may add versions could do that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from leasebook.domain.model.model import Model
from leasebook.domain.model.offering import Offering
from leasebook.domain.replicas.engine_route import engine_for
from leasebook.domain.values.refusal import UNTRUSTED, Refusal
from leasebook.domain.values.rule_settings import Rules


def is_exposed(rules: Rules, model: Model | None, region: str, unit_type: str) -> bool:
    """Whether a version would run where it could reach what is not its own. None: nothing is run."""
    return (
        model is not None
        and not model.is_trusted
        and bool(_missing(rules, engine_for(rules.routes, region, unit_type)))
    )


def check_trust(rules: Rules, model: Model | None, places: Iterable[tuple[str, str]]) -> None:
    """Raise Refusal where a version may not run at one of some places, each a region and a type."""
    for region, unit_type in places:
        if model is not None and is_exposed(rules, model, region, unit_type):
            raise _refused(rules, model, engine_for(rules.routes, region, unit_type))


def check_trusted_somewhere(rules: Rules, model: Model | None, offerings: Iterable[Offering]) -> None:
    """Raise Refusal where a version may run at none of some offerings. Where there is none, nothing can run anyway."""
    found = list(offerings)
    if found and all(is_exposed(rules, model, one.region, one.type) for one in found):
        check_trust(rules, model, [(found[0].region, found[0].type)])


def hindrances(rules: Rules, model: Model | None, engines: Iterable[str]) -> Iterator[str]:
    """Say for each engine that may not run a version why it does not."""
    if model is not None and not model.is_trusted:
        for engine in sorted(set(engines)):
            if _missing(rules, engine):
                yield why_not(model, engine, _missing(rules, engine))


def why_not(model: Model, engine: str, missing: Iterable[str]) -> str:
    """Say why an engine does not run a version, and who can do something about it."""
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


def _refused(rules: Rules, model: Model, engine: str) -> Refusal:
    return Refusal(UNTRUSTED, why_not(model, engine, _missing(rules, engine)), field="modelId")
