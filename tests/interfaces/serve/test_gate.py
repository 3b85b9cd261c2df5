from typing import Any

import pytest

from rungwise.errors import UsageError

pytest.importorskip("fastapi", reason="needs the extra serve")

from starlette.requests import Request

from rungwise.interfaces.serve import gate as module
from rungwise.interfaces.serve.gate import Gate, Rate, client_of, host_name, own_names
from rungwise.interfaces.serve.refusal import Refusal

GATE = Gate(frozenset(("localhost", "box")))


def request(
    method: str = "GET", path: str = "/model", client: str = "1.2.3.4", **headers: str
) -> Any:
    named = {"host": "localhost:8000"} | {k.replace("_", "-"): v for k, v in headers.items()}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in named.items() if value]
    scope = {"type": "http", "method": method, "path": path, "headers": raw, "query_string": b""}
    return Request({**scope, "client": (client, 1), "server": ("127.0.0.1", 8000)})


def status(gate: Gate, asked: Any) -> int:
    try:
        gate.check(asked)
    except Refusal as refusal:
        return refusal.status
    return 200


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *[("localhost", 200), ("LOCALHOST:80", 200), ("box.:8000", 200), ("127.0.0.1:1", 200)],
        *[("[::1]:8000", 200), ("[::1]", 200), ("192.168.7.9:8000", 200)],
        *[("evil.example:8000", 421), ("localhost.evil.example", 421), ("127.0.0.1.nip.io", 421)],
        *[("", 421), (":8000", 421), ("a:b", 421), ("localhost:٣", 421), ("[::1", 421)],
    ],
)
def test_a_name_that_could_point_anywhere_is_refused_and_addresses_pass(
    host: str, expected: int
) -> None:
    try:
        asked = request(host=host)
    except UnicodeEncodeError:
        asked = request(host=host.encode().decode("latin-1"))

    assert status(GATE, asked) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"origin": "http://localhost:8000"}, 200),
        ({"origin": "https://LOCALHOST:8000"}, 200),
        ({"origin": "http://localhost:9000"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
    ],
)
def test_pages_from_elsewhere_may_not_post(headers: dict[str, str], expected: int) -> None:
    assert status(GATE, request("POST", "/predict", **headers)) == expected


def test_following_a_link_to_the_page_is_allowed() -> None:
    assert status(GATE, request(path="/", sec_fetch_site="cross-site")) == 200


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        *[("Bearer sesame", 200), ("bearer  sesame", 200), ("Bearer sesam", 401), ("sesame", 401)],
        *[("", 401), ("Basic sesame", 401), ("Bearer é", 401), ("Bearer", 401)],
    ],
)
def test_the_token_opens_all_but_the_page_and_health(sent: str, expected: int) -> None:
    gate = Gate(frozenset(("localhost",)), token="sesame")

    assert status(gate, request(authorization=sent)) == expected
    assert status(gate, request(path="/", authorization=sent)) == 200
    assert status(gate, request(path="/health", authorization=sent)) == 200


@pytest.mark.parametrize("token", ["", "two words", "schlüssel", "line\n"])
def test_a_token_that_no_header_holds_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="the token is empty or"):
        Gate(frozenset(), token=token)


def test_a_rate_lets_a_second_s_requests_through_at_once_and_then_so_many_each_second() -> None:
    now = 0.0
    rate = Rate(2, clock=lambda: now)
    rate.check("a")
    rate.check("a")

    with pytest.raises(Refusal, match="too many requests") as caught:
        rate.check("a")
    rate.check("b")
    now = 0.5
    rate.check("a")

    assert (caught.value.status, caught.value.headers) == (429, {"Retry-After": "1"})
    with pytest.raises(Refusal):
        rate.check("a")


def test_a_rate_below_1_tells_how_long_to_wait() -> None:
    rate = Rate(0.1, clock=lambda: 0.0)
    rate.check("a")

    with pytest.raises(Refusal) as caught:
        rate.check("a")

    assert caught.value.headers == {"Retry-After": "10"}


def test_clients_that_are_remembered_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CLIENTS", 2)
    rate = Rate(1, clock=lambda: 0.0)
    for client in "abc":
        rate.check(client)

    rate.check("a")  # The longest silent was forgotten.
    with pytest.raises(Refusal):
        rate.check("c")


def test_a_network_of_ipv6_is_one_client() -> None:
    one, other = request(client="2001:db8::1"), request(client="2001:db8::ffff:2")

    assert client_of(one) == client_of(other) == "2001:db8::/64"
    assert client_of(request(client="1.2.3.4")) == "1.2.3.4"
    assert client_of(request(client="fe80::1%eth0")) == "fe80::/64"


def test_names_are_this_machine_s_and_those_given() -> None:
    names = own_names("0.0.0.0", ["Shop.Example."])

    assert {"localhost", "shop.example"} <= names
    assert "0.0.0.0" not in names
    assert host_name("shop.example.:443") in names
