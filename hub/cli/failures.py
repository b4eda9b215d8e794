"""What can end a command badly, and with which exit code.

1  failed       the command was right, doing it failed
2  usage        the command line or its input is wrong
3  not found
4  refused      not allowed, or the state of things forbids it
5  unavailable  the hub or its database cannot be reached
"""

from typing import Any


class Failure(Exception):
    """The message says what is wrong; ``next_step`` what to do about it."""

    exit_code = 1
    code = "failed"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        field: str | None = None,
        allowed: Any = None,
        next_step: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code or self.code
        self.field = field
        self.allowed = allowed
        self.next_step = next_step

    def as_json(self) -> dict[str, Any]:
        said = {
            "code": self.code,
            "message": str(self),
            "field": self.field,
            "allowed": self.allowed,
            "next": self.next_step,
        }
        return {"error": {name: value for name, value in said.items() if value is not None}}


class Usage(Failure):
    exit_code = 2
    code = "usage"


class NotFound(Failure):
    exit_code = 3
    code = "not_found"


# How the hub calls what the state of things does not allow; not what the caller may not do.
CONFLICT = "conflict"


class Refused(Failure):
    exit_code = 4
    code = "refused"


class Unavailable(Failure):
    exit_code = 5
    code = "unavailable"
