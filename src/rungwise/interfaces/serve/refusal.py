"""What a client is told when a request is not answered."""

from collections.abc import Mapping

from starlette.responses import JSONResponse

from rungwise.errors import RungwiseError

BEARER = {"WWW-Authenticate": "Bearer"}


class Refusal(RungwiseError):
    """A request that is not answered, with the HTTP status that says why.

    Args:
        status: 4xx, or 503 while the service has too much to do.
        problem: What is wrong.
        expected: What would have been right.
        fix: What to do now.
        headers: Further headers of the response.
    """

    def __init__(
        self,
        status: int,
        problem: str,
        *,
        expected: str,
        fix: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(problem, expected=expected, fix=fix)
        self.status = status
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        """Return it as a response."""
        return told(self, self.status, self.headers)


def told(
    error: RungwiseError, status: int, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return an error as a response: problem, expected and fix in JSON."""
    content = {"problem": error.problem, "expected": error.expected, "fix": error.fix}
    return JSONResponse(content, status, headers)


def overloaded(problem: str, *, expected: str) -> Refusal:
    """Return the refusal of a service that has too much to do just now."""
    fix = "send the request again in a second"
    return Refusal(503, problem, expected=expected, fix=fix, headers={"Retry-After": "1"})
