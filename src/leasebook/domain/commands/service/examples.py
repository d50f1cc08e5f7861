"""The examples that the demo adds to the model repository, for all accounts."""

from __future__ import annotations

from typing import ClassVar, Final, NamedTuple

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import MODEL_SETS, MODELS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.commands.service.model import add_version
from leasebook.domain.model.model import EVERYBODYS, ModelSet
from leasebook.domain.model.replica import RunSpec
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.rule_settings import Rules


class Example(NamedTuple):
    """A shipped service, as a model set of one version with fixed ids."""

    name: str
    description: str
    module: str

    @property
    def set_id(self) -> str:
        """``am-`` and twelve characters."""
        return f"am-{self.name:0<12}"

    @property
    def model_id(self) -> str:
        """``amv-`` and twelve characters."""
        return f"amv-{self.name:0<12}"


EXAMPLES: Final = (
    Example(
        "echo", "Answers with the text of the request, as JSON or as a stream of events.", "leasebook.examples.echo"
    ),
    Example("completion", "Speaks the OpenAI API with a very small model.", "leasebook.examples.completion"),
    Example("embedding", "Turns texts into vectors, as the OpenAI API does.", "leasebook.examples.embedding"),
)


class LoadExamples(Command, frozen=True, kw_only=True):
    """Add the examples to the repository. Loading them again changes nothing, even if they have changed since."""

    answer: ClassVar[type] = bool

    user_id: str
    python: str

    def needs(self) -> Needs:
        """All their sets and versions."""
        for example in EXAMPLES:
            yield MODEL_SETS, (example.set_id,)
            yield MODELS, (example.model_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - no setting matters
        """Returns whether any was added."""
        added = False
        for example in EXAMPLES:
            if draft.get(MODEL_SETS, example.set_id) is None:
                row = ModelSet(example.set_id, EVERYBODYS, self.user_id, example.name, example.description, now)
                add_version(
                    draft,
                    row,
                    example.model_id,
                    self.user_id,
                    example.description,
                    self._run(example),
                    now,
                    trusted=True,
                )
                added = True
        return added

    def _run(self, example: Example) -> RunSpec:
        return RunSpec(command=(self.python, "-m", example.module, "--port", "{port}"), health_path="/health")
