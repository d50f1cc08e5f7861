"""Log lines without secrets: ours and those of libraries, in one form."""

import json
import logging
import sys
from collections.abc import Iterable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Final, Literal

import msgspec
import structlog

from leasebook.config.load import Secret
from leasebook.observability.logs.redaction import Event, Redaction

LogFormat = Literal["auto", "json", "console"]
LogLevel = Literal["debug", "info", "warning", "error", "critical"]

request_id: Final[ContextVar[str]] = ContextVar("request_id")
"""The id of the request at hand; every log line of its task carries it."""

# The HTTP client tells every request, and with debug its headers.
_TALKATIVE: Final = ("httpx2", "httpcore2", "alembic", "uvicorn")


def configure_logging(format: LogFormat, level: LogLevel, secrets: Iterable[Secret] = ()) -> None:  # noqa: A002
    """Send our log lines, and those of libraries that use `logging`, to standard error, one record a line.

    Say `log = structlog.get_logger()` and then `log.info("constant sentence", key=value)`. Taken out are the
    value of a key that names a secret, signatures wherever they are, and the texts of `secrets`. May be
    called again: loggers made before follow. On the console a traceback spans several lines.
    """
    is_console = format == "console" or (format == "auto" and _is_terminal())
    threshold = logging.getLevelNamesMapping()[level.upper()]
    last_processors: list[Any] = [
        structlog.processors.format_exc_info,
        Redaction(secrets),
        _console_renderer() if is_console else _render_json,
    ]
    structlog.configure(
        processors=[*_beginning(), *last_processors],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=_StandardError,
        # Modules make their loggers at import, before this runs; a cached one would never follow.
        cache_logger_on_first_use=False,
    )
    _configure_libraries(threshold, last_processors)


def _beginning() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        _add_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _add_request_id(_logger: object, _method: str, event: Event) -> Event:
    current = request_id.get(None)
    if current is not None:
        event.setdefault("request_id", current)
    return event


def _console_renderer() -> structlog.dev.ConsoleRenderer:
    # Plain tracebacks: the prettier ones show local variables, and so secrets.
    return structlog.dev.ConsoleRenderer(colors=_is_terminal(), exception_formatter=structlog.dev.plain_traceback)


def _render_json(_logger: object, _method: str, event: Event) -> str:
    first = {name: event.pop(name) for name in ("timestamp", "level", "event") if name in event}
    line = {**first, **event}
    try:
        return msgspec.json.encode(line).decode()
    except UnicodeEncodeError:  # half a surrogate pair, from a file name or a broken client
        return json.dumps(line)


def _write(line: str) -> None:
    # A log reader that has gone, or a full disk, must not fail a request. The stream is looked up each time
    # because tests and daemons exchange it.
    with suppress(OSError, ValueError):
        if sys.stderr is not None:
            sys.stderr.write(f"{line}\n")


def _is_terminal() -> bool:
    # There is no standard error at all when it was closed before the start.
    return sys.stderr is not None and sys.stderr.isatty()


class _StandardError:
    """The logger that structlog hands rendered lines to; the name that a caller may give its logger is not used."""

    def __init__(self, *_names: object) -> None:
        pass

    def msg(self, line: str) -> None:
        """Write one line."""
        _write(line)

    log = debug = info = warning = error = critical = msg


class _LibraryHandler(logging.Handler):
    """Writes records of `logging` in the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        _write(self.format(record))


def _configure_libraries(threshold: int, last_processors: list[Any]) -> None:
    handler = _LibraryHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_beginning(), structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last_processors],
        )
    )
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _LibraryHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    # Debug lines of libraries show SQL parameters and headers, so ours at debug do not bring theirs.
    root.setLevel(max(threshold, logging.INFO))
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
