"""`rungwise serve`: answers over HTTP, and a page to try a net on."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rungwise.extras import require_extra
from rungwise.interfaces.cli.options import Prediction
from rungwise.interfaces.serve.limits import Limits

if TYPE_CHECKING:
    import socket


def serve(
    run: Path,
    /,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: Annotated[str | None, Parameter(env_var="RUNGWISE_TOKEN")] = None,
    name: Annotated[list[str] | None, Parameter(negative="")] = None,
    device: str = "auto",
    prediction: Prediction = Prediction(),
    limits: Annotated[Limits, Parameter(name="*")] = Limits(),
) -> None:
    """Answer over HTTP with a trained net, and show a page to draw and drop pictures on.

    Prints the page's address when it is ready. Ctrl-C and SIGTERM end it with exit code 0, after
    every request that was taken has its answer.

    Args:
        run: A run's folder, or a predictor's .safetensors file.
        host: Address to listen on; 0.0.0.0 lets other machines in.
        port: Port to listen on; 0 takes any that is free.
        token: What clients must send as `Authorization: Bearer TOKEN`. Better given in the
            environment, where other users of the machine do not see it.
        name: A further host name that clients may use; may be repeated.
        device: auto, cpu, cuda or cuda:N.
        limits: What is refused.
    """
    require_extra("serve", ("fastapi", "uvicorn", "python_multipart"), "`rungwise serve`")
    from rungwise.interfaces.cli.predictors import note_way, open_predictor
    from rungwise.interfaces.serve.app import make_app
    from rungwise.interfaces.serve.gate import Gate, Rate, own_names
    from rungwise.interfaces.serve.limits import RATE_BEYOND_LOOPBACK
    from rungwise.interfaces.serve.server import Server, is_loopback, listener
    from rungwise.interfaces.serve.service import Service
    from rungwise.training.device import choose_device

    with listener(host, port) as bound:
        open_to_others = not is_loopback(bound)
        rate = limits.rate
        if rate is None:
            rate = RATE_BEYOND_LOOPBACK if open_to_others else 0
        gate = Gate(own_names(host, name or ()), token, Rate(rate) if rate else None)
        predictor = open_predictor([run], choose_device(device), prediction)
        service = Service(predictor, limits)
        note_way(predictor)
        if open_to_others and token is None:
            print(
                f"warning: whoever reaches port {bound.getsockname()[1]} of this machine may use "
                "this service; give a --token",
                file=sys.stderr,
            )
        Server(make_app(service, gate), service, lambda: _tell(host, bound)).serve_on(bound)
    print(f"stopped; {service.metrics.requests.total()} requests answered", file=sys.stderr)


def _tell(host: str, bound: "socket.socket") -> None:
    shown = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    print(f"http://{shown}:{bound.getsockname()[1]}/", flush=True)
    print("Ctrl-C ends it", file=sys.stderr, flush=True)
