import contextlib
import http.client
import json
import re
import threading
from typing import Any

import pytest
import torch

from rungwise.augment.views import Mirror
from rungwise.errors import DataError
from rungwise.prediction.pictures import pixels_for

Make = Any


def probabilities(predictor: Any, *files: bytes) -> torch.Tensor:
    """Return what `rungwise predict` gives."""
    return predictor.probabilities(torch.stack([pixels_for(predictor, file) for file in files]))


def test_an_image_as_the_body_is_answered_as_predict_does(
    serving: Make, untrained: Make, png: Make
) -> None:
    predictor = untrained()
    with serving(predictor) as client:
        reply = client.predict(png())

    expected = probabilities(predictor, png())[0]
    answer = reply.json["predictions"][0]
    assert (reply.status, len(reply.json["predictions"])) == (200, 1)
    assert answer.keys() == {"file", "class", "probability", "probabilities"}
    assert answer["file"] is None
    assert answer["class"] == predictor.class_names[int(expected.argmax())]
    assert list(answer["probabilities"].values()) == pytest.approx(expected.tolist())


def test_several_files_of_a_form_are_answered_in_their_order(
    serving: Make, untrained: Make, png: Make
) -> None:
    predictor = untrained()
    with serving(predictor) as client:
        answers = client.upload(("a.png", png(1)), ("ü b.png", png(2))).json["predictions"]

    expected = probabilities(predictor, png(1), png(2))
    assert [answer["file"] for answer in answers] == ["a.png", "ü b.png"]
    for answer, row in zip(answers, expected, strict=True):
        assert answer["probability"] == pytest.approx(row.max().item())


def test_explain_adds_pictures_and_views(serving: Make, untrained: Make, png: Make) -> None:
    with serving(untrained(views=Mirror())) as client:
        answer = client.predict(png(), "?explain=true").json["predictions"][0]

    assert {"picture", "views", "reconstruction"} <= answer.keys()
    assert len(answer["views"]) == 2


def test_a_predictor_that_resizes_takes_any_size(serving: Make, untrained: Make, png: Make) -> None:
    from dataclasses import replace

    with serving(replace(untrained(), resizes=True)) as client:
        assert client.predict(png(size=(30, 40), channels=3)).status == 200
    with serving(untrained()) as client:
        client.predict(png(size=(30, 40))).refuses(422, "40x30 pixels", "8x8", "resize it to 8x8")


def test_files_that_cannot_be_used_are_all_named(serving: Make, png: Make) -> None:
    with serving() as client:
        client.predict(b"").refuses(422, "it is empty")
        reply = client.upload(("a.png", png()), ("b.png", b"no"), ("c.png", png()[:60]))

    reply.refuses(422, "(1) b.png cannot be read: it is not an image", "(2) c.png cannot be read")


def test_a_bomb_is_refused_before_it_is_decoded(serving: Make, png: Make) -> None:
    with serving(megapixels=0.01) as client:
        client.predict(png(size=(100, 100))).refuses(422, "100x100 pixels")
        client.predict(png(size=(200, 100))).refuses(422, "at most 0.01 megapixels")


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        ("application/json", 415, "'application/json'"),
        ("", 415, "not given"),
        ("multipart/form-data", 400, "boundary"),
        ("multipart/form-data; boundary=" + "x" * 5000, 400, "multipart"),
        ("multipart/form-data; boundary=frontier; charset=undefined", 400, "multipart"),
        ("multipart/mixed; boundary=frontier", 415, "multipart/mixed"),
        ("text/html", 415, "text/html"),
    ],
)
def test_other_bodies_are_refused(serving: Make, kind: str, status: int, words: str) -> None:
    body = b'--frontier\r\nContent-Disposition: form-data; name="a"; filename="\xff"\r\n\r\nx'
    headers = {"Content-Type": kind} if kind else {}
    with serving() as client:
        client.ask("POST", "/predict", body, headers).refuses(status, words)


@pytest.mark.parametrize(
    ("disposition", "words"),
    [
        (b'form-data; name="a"', "the field 'a' is no file"),
        (b"form-data", '"name" must be provided'),
        (b'form-data; filename="x"', '"name" must be provided'),
    ],
)
def test_forms_without_files_are_refused(serving: Make, disposition: bytes, words: str) -> None:
    body = b"--f\r\nContent-Disposition: " + disposition + b"\r\n\r\nx\r\n--f--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=f"}
    with serving() as client:
        client.ask("POST", "/predict", body, headers).refuses(400, words)
        client.ask("POST", "/predict", b"--f--\r\n", headers).refuses(400, "it holds no file")


def test_a_charset_of_the_client_s_choice_does_no_harm(serving: Make, png: Make) -> None:
    form = (
        b"--f\r\nContent-Disposition: form-data; name=x; filename=+2AA-\r\n\r\n",
        b"\r\n--f--\r\n",
    )
    with serving() as client:
        for charset in ("utf-7", "unicode_escape", "idna", "punycode", "rot13", "nonsense"):
            headers = {"Content-Type": f"multipart/form-data; boundary=f; charset={charset}"}
            reply = client.ask("POST", "/predict", form[0] + png() + form[1], headers)
            assert reply.status in (200, 400), (charset, reply)


def test_compressed_bodies_are_refused(serving: Make, png: Make) -> None:
    with serving() as client:
        client.predict(png(), Content_Encoding="gzip").refuses(415, "gzip")


def test_a_query_that_would_have_no_effect_is_refused(serving: Make, png: Make) -> None:
    with serving() as client:
        client.predict(png(), "?explian=true").refuses(422, "explian", "explain=true")
        client.predict(png(), "?explain=perhaps").refuses(422, "explain")


def test_too_many_images_are_refused(serving: Make, png: Make) -> None:
    with serving(images=2) as client:
        client.upload(*[("a.png", png())] * 3).refuses(400, "Too many files", "2")


def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(
    serving: Make, png: Make
) -> None:
    with serving(body_megabytes=0.1) as client:
        client.predict(b"x" * 5_000_000).refuses(413, "at most 0.1 megabytes")
        connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=60)
        with contextlib.closing(connection):
            chunks = iter([b"x" * 50_000] * 10)
            kind = {"Content-Type": "image/png"}
            connection.request("POST", "/predict", chunks, kind, encode_chunked=True)
            assert connection.getresponse().status == 413
        assert client.predict(png()).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        *[("GET", "/nothing", 404), ("GET", "/predict", 405), ("DELETE", "/model", 405)],
        *[("GET", "/docs", 404), ("GET", "/redoc", 404), ("GET", "/page.css/../limits.py", 404)],
    ],
)
def test_wrong_paths_and_methods_are_told(
    serving: Make, method: str, path: str, status: int
) -> None:
    with serving() as client:
        reply = client.ask(method, path)

    reply.refuses(status, "/predict")
    if status == 405:
        assert reply.headers["allow"]


def test_a_token_and_a_rate_hold(serving: Make, png: Make) -> None:
    with serving(token="sesame") as client:
        reply = client.predict(png())
        reply.refuses(401, "the token is missing")
        assert reply.headers["www-authenticate"] == "Bearer"
        assert client.predict(png(), Authorization="Bearer sesame").status == 200
        assert client.get("/health").status == client.get("/").status == 200
        description = client.get("/openapi.json").json
    assert description["security"] == [{"token": []}]
    with serving(rate=2) as client:
        replies = [client.get("/health") for _ in range(8)]
    refused = [reply for reply in replies if reply.status == 429]
    assert refused
    assert refused[0].headers["retry-after"] == "1"


def test_more_images_than_the_queue_holds_are_told_to_come_again(
    serving: Make, untrained: Make, png: Make
) -> None:
    with serving(images=1, queue=1) as client:
        free, busy = hold_up(client)
        first = threading.Thread(target=client.predict, args=(png(),))
        first.start()
        assert busy.wait(60)
        reply = client.predict(png())
        assert client.metric("rungwise_queue_images") == 1
        free.set()
        first.join()

    reply.refuses(503, "1 images are waiting already")
    assert reply.headers["retry-after"] == "1"


def test_an_answer_that_takes_too_long_is_not_waited_for(serving: Make, png: Make) -> None:
    with serving(answer_seconds=0.2) as client:
        free, _ = hold_up(client)
        client.predict(png()).refuses(503, "no answer after 0.2 seconds")
        free.set()
        assert client.predict(png()).status == 200


def hold_up(client: Any) -> tuple[threading.Event, threading.Event]:
    """Hold the net up: return events that free it, and that tell that it is asked."""
    batcher = client.service._batcher
    free, busy, answer = threading.Event(), threading.Event(), batcher._answer

    def slow(questions: Any) -> Any:
        busy.set()
        assert free.wait(60)
        return answer(questions)

    batcher._answer = slow
    return free, busy


def test_requests_at_a_time_are_answered_together(
    serving: Make, untrained: Make, png: Make
) -> None:
    predictor = untrained()
    replies: dict[int, Any] = {}
    with serving(predictor) as client:
        free, busy = hold_up(client)

        def ask(seed: int) -> None:
            replies[seed] = client.predict(png(seed)).json["predictions"][0]["probability"]

        threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(9)]
        threads[0].start()
        assert busy.wait(60)
        for thread in threads[1:]:
            thread.start()
        while len(client.service._batcher._waiting) < 8:
            pass
        free.set()
        for thread in threads:
            thread.join()
        assert client.metric('rungwise_batch_images_bucket{le="8"}') == 2
        assert client.metric("rungwise_batch_images_count") == 2
        assert client.metric("rungwise_images_total") == 9

    expected = probabilities(predictor, *[png(seed) for seed in range(9)]).amax(1)
    assert [replies[seed] for seed in range(9)] == pytest.approx(expected.tolist())


def test_a_fault_is_told_without_its_inside_and_the_service_goes_on(
    serving: Make, png: Make, caplog: pytest.LogCaptureFixture
) -> None:
    with serving() as client:
        batcher = client.service._batcher
        answer, batcher._answer = batcher._answer, lambda questions: 1 / 0
        client.predict(png()).refuses(500, "the service has a fault")
        batcher._answer = answer
        assert client.predict(png()).status == 200
    assert "ZeroDivisionError" in caplog.text


def test_metrics_are_in_the_text_format(serving: Make, png: Make) -> None:
    with serving() as client:
        client.predict(png())
        client.predict(b"no")
        reply = client.get("/metrics")

    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = reply.body.decode().splitlines()
    assert 'rungwise_requests_total{status="200"} 1' in lines
    assert 'rungwise_requests_total{status="422"} 1' in lines
    assert "rungwise_predict_seconds_count 2" in lines
    sample = re.compile(r'[a-z_]+(\{[a-z]+="[^"]+"\})? [0-9.e+-]+')
    assert all(line.startswith("# ") or sample.fullmatch(line) for line in lines)


def test_the_model_is_described(serving: Make, untrained: Make) -> None:
    with serving(untrained(views=Mirror())) as client:
        found = client.get("/model").json
        health = client.get("/health").json

    assert found["classes"] == ["cat", "dog", "eel"]
    assert (found["channels"], found["height"], found["width"]) == (1, 8, 8)
    assert (found["views"], found["nets"], found["reconstructs"]) == (2, 1, False)
    assert found["recipe"]["views"] == {"name": "mirror", "pixels": 0, "below": 1.0}
    assert health["ready"] is True


def test_the_description_names_what_is_there(serving: Make) -> None:
    with serving() as client:
        description = client.get("/openapi.json").json

    assert description["paths"].keys() == {"/predict", "/model", "/health", "/metrics"}
    predict = description["paths"]["/predict"]["post"]
    assert predict["requestBody"]["content"].keys() == {
        *("multipart/form-data", "image/*", "application/octet-stream")
    }
    statuses = set(predict["responses"])
    assert {"200", "400", "401", "403", "408", "413", "415", "421", "422", "429", "503"} <= statuses
    assert "HTTPValidationError" not in json.dumps(description)


@pytest.mark.parametrize("path", ["/", "/page.css", "/page.js", "/model", "/nothing"])
def test_every_answer_forbids_what_comes_from_elsewhere(serving: Make, path: str) -> None:
    with serving() as client:
        reply = client.get(path)

    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in reply.headers
    assert not re.search(rb"https?://", reply.body)


def test_a_page_of_another_origin_is_refused(serving: Make, png: Make) -> None:
    with serving() as client:
        client.predict(png(), Origin="http://evil.example").refuses(403, "http://evil.example")
        client.get("/model", Host="evil.example").refuses(421, "evil.example")
        own = f"http://127.0.0.1:{client.port}"
        assert client.predict(png(), Origin=own).status == 200


def test_the_content_of_a_file_has_its_own_advice(untrained: Make) -> None:
    with pytest.raises(DataError) as caught:
        pixels_for(untrained(), b"no image")

    assert caught.value.fix == "replace the image"
