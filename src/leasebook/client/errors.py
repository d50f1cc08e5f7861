"""The exceptions of the client. All of them are a ``LeasebookError``."""

from __future__ import annotations


class LeasebookError(Exception):
    """A call that did not succeed. The text says what happened and what to do."""


class ConfigurationError(LeasebookError, ValueError):
    """The address, the keys or the profile are missing or wrong; the text names the place."""


class NaiveTimeError(LeasebookError, ValueError):
    """A parameter is a time without a time zone."""


class ErrorAnswer(LeasebookError):
    """The service refused the call. There is a class for each code, and this one for codes that it does not know.

    ``code`` is the code, ``message`` the sentence for people, ``status`` that of HTTP, ``request_id`` the name of the
    call in the service's log, and ``retry_after_s`` the seconds after which the service wants to be asked again, or
    None.
    """

    def __init__(
        self, code: str, message: str, *, status: int, request_id: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status
        self.request_id = request_id
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        named = f" [request {self.request_id}]" if self.request_id else ""
        return f"{self.code}: {self.message}{named}"


class NoAnswer(LeasebookError, ConnectionError):
    """No whole answer arrived.

    ``may_be_done``: the call was sent, so that it may have been done. A call with the same client token is safe.
    """

    def __init__(self, text: str, *, may_be_done: bool) -> None:
        super().__init__(text)
        self.may_be_done = may_be_done


class UnexpectedAnswer(LeasebookError):
    """The answer has another form than the action's; ``body`` is its text, and ``status`` that of HTTP."""

    def __init__(self, text: str, *, status: int, body: str) -> None:
        super().__init__(text)
        self.status = status
        self.body = body


class WaitedTooLong(LeasebookError, TimeoutError):
    """A waiter's time is over; the text says in what state the instance is."""
