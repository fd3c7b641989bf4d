"""The interface over HTTP, as a program asks it."""

import argparse
import base64
import io
import re
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from alexnet_tf.commands import serve
from alexnet_tf.data.images.contents import ImageError, InMemory
from alexnet_tf.data.images.decoding import decoded
from alexnet_tf.errors import UserError
from alexnet_tf.inference import engine as engines
from alexnet_tf.inference.classifier import Classifier
from alexnet_tf.inference.engine import Engine
from alexnet_tf.retrieval.activations import list_pictures
from alexnet_tf.retrieval.search import Index
from alexnet_tf.runs.run import Run
from tests.support.memory import peak_of
from tests.support.runs import write_run
from tests.support.verbs import run_verb

pytest.importorskip("fastapi")
from fastapi.testclient import TestClient

from alexnet_tf.serving import application, middleware
from alexnet_tf.serving.application import Served, make_app
from alexnet_tf.serving.explanations import LookAlikes
from alexnet_tf.serving.limits import Limits
from alexnet_tf.serving.networks import ServedNetwork


@pytest.fixture(scope="module")
def engine(trained_run):
    return Engine.of_run(Run(trained_run))


@pytest.fixture
def ask(engine):
    """Returns a client of an application, with networks `mine` and whatever else is told."""
    opened = []

    def ask(**config):
        config = {"networks": [ServedNetwork("mine", engine)]} | config
        client = TestClient(make_app(Served(**config)), raise_server_exceptions=False)
        opened.append(client.__enter__())
        return client

    yield ask
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture(scope="module")
def photos(trained_run):
    folder = trained_run.parent / "photos"
    return [folder / f"{name}.{n}.jpg" for n in range(3) for name in ("cat", "dog")]


def form(*paths):
    return [("pictures", (path.name, path.read_bytes())) for path in paths]


def noise(side):
    """A PNG of so many pixels a side that no compression makes smaller."""
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def test_a_form_of_pictures_is_answered_as_the_command_line_does(ask, engine, photos):
    said = ask().post("/v1/predict", files=form(*photos)).json()
    expected = list(Classifier([engine]).classify([str(photo) for photo in photos], 2))
    assert said["network"] == "mine"
    assert [answer["file"] for answer in said["predictions"]] == [photo.name for photo in photos]
    for answer, own in zip(said["predictions"], expected):
        assert (answer["label"], answer["error"]) == (own.top[0][0], None)
        assert answer["probability"] == pytest.approx(own.top[0][1], abs=1e-5)
        assert [each["label"] for each in answer["top"]] == [label for label, _ in own.top]


def test_base64_in_json_is_answered_as_a_form(ask, photos):
    client = ask()
    texts = [base64.b64encode(photo.read_bytes()).decode() for photo in photos[:2]]
    texts[1] = f"data:image/jpeg;base64,{texts[1]}"
    by_json = client.post("/v1/predict?top=1", json={"pictures": texts}).json()["predictions"]
    by_form = client.post("/v1/predict?top=1", files=form(*photos[:2])).json()["predictions"]
    assert [each["top"] for each in by_json] == [each["top"] for each in by_form]
    assert [len(each["top"]) for each in by_json] == [1, 1]


@pytest.mark.parametrize(
    "spell",
    [
        lambda content: base64.encodebytes(content).decode(),  # wrapped, as the command does
        lambda content: base64.encodebytes(content).decode().replace("\n", "\r\n"),
        lambda content: base64.urlsafe_b64encode(content).decode(),
        lambda content: base64.b64encode(content).decode().rstrip("="),
        lambda content: "data:image/png;base64," + base64.urlsafe_b64encode(content).decode(),
    ],
)
def test_base64_is_read_however_it_is_spelled(ask, spell):
    content = noise(20) + b"\xfb\xff\xfe"  # of which base64 has + and /, and is filled up
    client = ask()
    said = client.post("/v1/predict", json={"pictures": [spell(content)]}).json()["predictions"][0]
    expected = client.post("/v1/predict", files={"pictures": ("a.png", content)}).json()
    assert "+" in base64.b64encode(content).decode() and said["error"] is None
    assert said["top"] == expected["predictions"][0]["top"]
    for broken in ("ab==cd==", "abcde", "ab%d"):
        assert client.post("/v1/predict", json={"pictures": [broken]}).status_code == 422


def test_a_body_that_is_a_picture_is_answered_as_a_form(ask, photos):
    client, content = ask(), photos[0].read_bytes()
    raw = client.post("/v1/predict", content=content, headers={"content-type": "image/jpeg"})
    assert raw.json()["predictions"][0]["file"] == "picture"
    by_form = client.post("/v1/predict", files=form(photos[0])).json()["predictions"]
    assert raw.json()["predictions"][0]["top"] == by_form[0]["top"]
    empty = client.post("/v1/predict", content=b"", headers={"content-type": "image/png"})
    assert (empty.status_code, "no picture" in empty.text) == (422, True)


@pytest.mark.parametrize("address", ["/v1/predict", "/v1/models/mine:predict"])
@pytest.mark.parametrize("named", [False, True])
def test_a_client_of_tensorflow_serving_needs_no_change(ask, photos, address, named):
    client = ask()
    texts = [{"b64": base64.b64encode(photo.read_bytes()).decode()} for photo in photos[:2]]
    instances = [{"bytes": text} for text in texts] if named else texts
    said = client.post(address, json={"signature_name": "serving_default", "instances": instances})
    predictions = client.post("/v1/predict", files=form(*photos[:2])).json()["predictions"]
    for found, answer in zip(said.json()["predictions"], predictions, strict=True):
        assert found["classes"] == ["cat", "dog"]
        of = dict(zip(found["classes"], found["probabilities"]))
        assert of == {each["label"]: each["probability"] for each in answer["top"]}
    broken = client.post(address, json={"instances": [texts[0], {"b64": "aaaa"}]})
    assert broken.status_code == 422 and "picture 2: is text" in broken.json()["detail"]
    assert client.post(address, json={"instances": [{"b64": 5}]}).status_code == 422
    assert client.post(address, json={"instances": [[1, 2]]}).status_code == 422
    assert client.post("/v1/models/other:predict", json={"instances": texts}).status_code == 404


def test_a_body_of_millions_of_values_is_refused_before_they_are_made(ask):
    client = ask()
    body = b'{"pictures": [' + b",".join([b'""'] * 10_000_000) + b"]}"
    kind, predictions = {"content-type": "application/json"}, []
    used = peak_of(
        lambda: predictions.append(client.post("/v1/predict", content=body, headers=kind))
    )
    assert (predictions[0].status_code, "values" in predictions[0].text) == (413, True)
    assert used < 8 * len(body)


def test_what_is_no_picture_is_said_beside_the_answers_to_others(ask, engine, photos, tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    said = ask().post("/v1/predict", files=form(photos[0], tmp_path / "text.jpg", photos[1]))
    predictions = said.json()["predictions"]
    assert predictions[1]["error"] == "is text, no picture" and predictions[1]["label"] is None
    others = [Classifier([engine]).classify([str(photo)], 1) for photo in photos[:2]]
    assert [predictions[place]["label"] for place in (0, 2)] == [
        next(each).label for each in others
    ]


def answer_of(engine, photo):
    """The probabilities of a picture by class, from the command line's own classifier."""
    (answer,) = Classifier([engine]).classify([str(photo)], len(engine.classes))
    return pytest.approx(dict(answer.top), abs=1e-5)


def answered(said):
    """The same from the first answer over HTTP."""
    return {each["label"]: each["probability"] for each in said.json()["predictions"][0]["top"]}


def test_several_runs_can_be_asked_by_name_and_no_other(ask, engine, photos, tmp_path):
    other = Engine.of_run(write_run(tmp_path / "other", engine.classes))
    client = ask(networks=[ServedNetwork("mine", engine), ServedNetwork("other", other)])
    config = client.get("/v1/networks").json()
    assert [each["name"] for each in config["networks"]] == ["mine", "other"]
    assert config["networks"][0]["classes"] == ["cat", "dog"]
    for name, each in (("mine", engine), ("other", other)):
        said = client.post(f"/v1/predict?network={name}", files=form(photos[0]))
        assert said.json()["network"] == name and answered(said) == answer_of(each, photos[0])
    assert answered(said) != answer_of(engine, photos[0])
    refused = client.post("/v1/predict?network=../../etc/passwd", files=form(photos[0]))
    assert refused.status_code == 404 and "there is no network of that name" in refused.text


def test_imagenet_is_asked_beside_the_run(ask, photos, tmp_path):
    thousand = Engine.of_run(write_run(tmp_path / "thousand", ("tench", "goldfish", "ray")))
    client = ask(imagenet=ServedNetwork("ImageNet", thousand))
    assert client.get("/v1/networks").json()["imagenet"] == "ImageNet"
    said = client.post("/v1/predict?network=ImageNet", files=form(photos[0]))
    assert answered(said) == answer_of(thousand, photos[0])


def test_a_large_picture_is_never_written_to_the_disk(ask, engine, tmp_path, monkeypatch):
    def rollover(self):
        raise AssertionError("a picture went to the disk")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", rollover)
    content = noise(1200)
    assert len(content) > 4_000_000
    said = ask().post("/v1/predict", files={"pictures": ("noise.png", content)})
    (tmp_path / "noise.png").write_bytes(content)
    assert answered(said) == answer_of(engine, tmp_path / "noise.png")


def test_a_name_is_only_said_again(ask, photos):
    name = "../../../etc/passwd\u202e<script>" + "x" * 4000
    said = ask().post("/v1/predict", files={"pictures": (name, photos[0].read_bytes())}).json()
    assert said["predictions"][0]["file"].startswith("passwd\u202e<script>xx")
    assert len(said["predictions"][0]["file"]) == 200


def test_others_are_answered_while_the_first_explanation_waits_for_tensorflow(
    ask, photos, monkeypatch
):
    begun, goes_on = Event(), Event()

    def import_slowly():
        begun.set()
        assert goes_on.wait(60)

    for module in (application, engines):
        monkeypatch.setattr(module, "import_tensorflow", import_slowly, raising=False)
    client = ask()
    with ThreadPoolExecutor() as beside:
        explained = beside.submit(client.post, "/v1/explain", files=form(photos[0]))
        assert begun.wait(60)
        answered = beside.submit(client.post, "/v1/predict", files=form(photos[1]))
        try:
            assert answered.result(60).status_code == 200
        finally:
            goes_on.set()
        assert explained.result().status_code == 200


def test_where_it_looks_is_a_picture(ask, photos):
    client = ask()
    drawn = client.post("/v1/explain?label=dog", files=form(photos[0]))
    assert drawn.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(drawn.content)).size == (576, 576)
    unknown = client.post("/v1/explain?label=horse", files=form(photos[0]))
    assert unknown.status_code == 422 and "there is no class 'horse'" in unknown.json()["detail"]


@pytest.mark.parametrize(
    "config, code, words",
    [
        ({"content": b"--x", "headers": {"content-type": "multipart/form-data"}}, 400, "broken"),
        (
            {"content": b"--y\r\n", "headers": {"content-type": "multipart/form-data; boundary=x"}},
            400,
            "broken",
        ),
        ({"content": b"[" * 9_000, "headers": {"content-type": "application/json"}}, 400, "JSON"),
        ({"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}, 413, "JSON"),
        ({"json": [1]}, 422, "JSON object"),
        ({"json": {"pictures": "x"}}, 422, "base64"),
        ({"json": {"pictures": ["%"]}}, 422, "base64"),
        ({"json": {"pictures": []}}, 422, "no picture"),
        ({"data": {"pictures": "text"}, "files": {}}, 415, "multipart"),
        ({"content": b"", "headers": {}}, 415, "multipart"),
        ({"json": {"pictures": ["aaaa"]}, "params": {"top": 0}}, 422, "top"),
        ({"json": {"pictures": ["aaaa"]}, "params": {"top": "x"}}, 422, "top"),
    ],
)  # fmt: skip
def test_a_request_that_makes_no_sense_is_refused_in_a_sentence(ask, config, code, words):
    said = ask().post("/v1/predict", **config)
    assert (said.status_code, words in said.text) == (code, True), said.text


def test_too_many_and_too_large_are_refused(ask, photos):
    client = ask(limits=Limits(bytes=200_000, pictures=2))
    assert client.post("/v1/predict", files=form(*photos[:2])).status_code == 200
    many = client.post("/v1/predict", files=form(*photos[:3]))
    assert (many.status_code, many.json()["detail"]) == (
        413,
        "a request may have 2 pictures at most",
    )
    large = client.post("/v1/predict", files={"pictures": ("a.png", noise(300))})
    assert large.status_code == 413 and "200,000 bytes at most" in large.json()["detail"]
    parts = (b"x" * 50_000 for _ in range(5))  # whose length nobody says before
    kind = {"content-type": "application/json"}
    assert client.post("/v1/predict", content=parts, headers=kind).status_code == 413


def test_more_pixels_than_are_decoded_are_refused(ask):
    content = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(content, "PNG")
    said = ask().post("/v1/predict", files={"pictures": ("bomb.png", content.getvalue())})
    assert said.json()["predictions"][0]["error"] == "has more than 89,478,485 pixels"


def test_one_address_asks_only_so_often(ask, photos, monkeypatch):
    clock = SimpleNamespace(monotonic=lambda: clock.now, now=0.0)
    monkeypatch.setattr(middleware, "time", clock)
    client = ask(limits=Limits(rate=3))
    predictions = [client.post("/v1/predict", files=form(photos[0])) for _ in range(5)]
    assert [each.status_code for each in predictions] == [200, 200, 200, 429, 429]
    assert predictions[3].headers["retry-after"] == "1"
    assert client.get("/healthz").status_code == 200
    clock.now += 0.5  # in which one and a half more are allowed
    predictions = [client.post("/v1/predict", files=form(photos[0])) for _ in range(2)]
    assert [each.status_code for each in predictions] == [200, 429]


def test_a_picture_is_computed_once_by_the_engine_for_one():
    class Never:
        def predict(self, *_):
            raise AssertionError("both engines computed it")

    outputs = np.array([[0.25, 0.75]], "f4"), np.array([0.5], "f4")
    network = ServedNetwork("fast", Never(), single=lambda picture: outputs)
    assert network.predict(np.zeros((3, 8, 8, 3), np.uint8)).tolist() == [[0.25, 0.75, 0.5]] * 3


def test_whoever_comes_when_there_is_too_much_to_do_is_told_at_once(ask, engine, photos):
    begun, go_on = threading.Event(), threading.Event()

    class Busy:
        variant, resize, classes = engine.variant, engine.resize, engine.classes

        def predict(self, inputs, among):
            begun.set()
            go_on.wait(30)
            return np.full((len(inputs), 2), 0.5, np.float32), np.zeros(len(inputs))

    client = ask(networks=[ServedNetwork("busy", Busy())], limits=Limits(waiting=2))
    predictions = []
    first = threading.Thread(
        target=lambda: predictions.append(client.post("/v1/predict", files=form(*photos[:2])))
    )
    first.start()
    assert begun.wait(30)
    refused = client.post("/v1/predict", files=form(photos[0]))
    go_on.set()
    first.join()
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert predictions[0].status_code == 200
    assert client.post("/v1/predict", files=form(photos[0])).status_code == 200


def test_pages_of_other_sites_may_not_ask_unless_they_are_named(ask, photos):
    def code(client, **headers):
        return client.post("/v1/predict", files=form(photos[0]), headers=headers).status_code

    client = ask(hosts=("localhost",), origins=("https://example.org",))
    assert code(client, host="localhost:8080") == 200
    assert code(client, host="evil.example:8080") == 421
    assert code(client, host="localhost:8080", origin="http://localhost:8080") == 200
    assert code(client, host="localhost:8080", origin="http://localhost:1") == 403
    assert code(client, host="localhost:8080", origin="null") == 403
    config = {"host": "localhost", "origin": "https://example.org"}
    said = client.post("/v1/predict", files=form(photos[0]), headers=config)
    assert said.headers["access-control-allow-origin"] == "https://example.org"
    other = client.get("/v1/networks", headers={"host": "localhost", "origin": "https://evil.org"})
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("path, method", [("/v1/predict", "POST"), ("/v1/lessons/x", "DELETE")])
def test_a_page_of_a_site_that_is_named_may_ask_as_browsers_do(ask, path, method):
    client = ask(origins=("https://example.org",), limits=Limits(bytes=1000))
    asked = {"access-control-request-method": method, "origin": "https://example.org"}
    asked["access-control-request-headers"] = "authorization,content-type"
    said = client.options(path, headers=asked)
    assert said.status_code == 200
    assert method in said.headers["access-control-allow-methods"].split(", ")
    assert client.options(path, headers=asked | {"origin": "https://evil.org"}).status_code == 400
    config = {"origin": "https://example.org", "content-type": "application/json"}
    refused = client.post("/v1/predict", content=b"x" * 2000, headers=config)
    assert refused.status_code == 413  # and its page may read why
    assert refused.headers["access-control-allow-origin"] == "https://example.org"


@pytest.mark.parametrize("hosts", [(), ("localhost",)])
@pytest.mark.parametrize(
    "header, value",
    [
        *(("host", value) for value in (
            "[ bad", "[", "[::1", "::1", "[::g]", "localhost:x", "localhost:99999", "a b", "a/b",
            "evil@localhost", "localhost@evil", "localhost:80:80", "h\xe9", "a?b", "a#b", "a\\b",
        )),
        *(("origin", value) for value in (
            "http://[", "http://[::g]", "http://localhost:x", "localhost", "", "http://a/b",
            "http://a b", "http://evil@localhost", "http://localhost, http://evil", "://a", "\xff",
        )),
    ],
)  # fmt: skip
def test_a_header_that_names_no_host_is_refused(ask, hosts, header, value):
    headers = {"host": "localhost"} | {header: value.encode("latin-1")}
    for method in ("GET", "POST"):
        said = ask(hosts=hosts).request(method, "/v1/networks", headers=headers)
        assert (said.status_code, "names no host" in said.text) == (400, True)


def test_a_page_of_its_own_may_ask_however_browsers_spell_its_address(ask, photos):
    client = ask()
    for host, origin in (
        ("Example.org:80", "http://example.org"),
        ("example.org", "http://example.org:80"),
        ("example.org", "https://example.org"),  # behind what speaks TLS for it
        ("[::1]:8080", "http://[::1]:8080"),
    ):
        config = {"host": host, "origin": origin, "sec-fetch-site": "same-origin"}
        said = client.post("/v1/predict", files=form(photos[0]), headers=config)
        assert said.status_code == 200, (host, origin)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_browser_that_names_no_origin_says_that_it_is_another_sites(ask, site):
    said = ask().post("/v1/predict", content=b"", headers={"sec-fetch-site": site})
    assert said.status_code == 403


@pytest.mark.parametrize(
    "word, origin",
    [
        ("https://Example.org/", "https://example.org"),
        ("http://example.org:80", "http://example.org"),
        ("https://example.org:8443", "https://example.org:8443"),
    ],
)
def test_a_site_is_taken_as_browsers_spell_it(word, origin):
    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    assert parser.parse_args(["--cors", word]).cors == [origin]


@pytest.mark.parametrize("word", ["example.org", "*", "http://[", "https://a.org/x", "http://a:x"])
def test_what_is_no_site_is_refused(word, capsys):
    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--cors", word])
    assert "is no site; name one as in https://example.org" in capsys.readouterr().err


def test_every_answer_tells_browsers_to_be_strict(ask):
    client = ask()
    for path in ("/", "/page/page.js", "/v1/networks", "/nowhere"):
        headers = client.get(path).headers
        assert "default-src 'none'; script-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_the_page_loads_nothing_from_elsewhere(ask):
    client = ask()
    page = client.get("/").text
    own = re.findall(r'"(page/[\w.]+)"', page)  # relative, as behind a proxy under some path
    assert own and {client.get(name).status_code for name in own} == {200}
    assert "http://" not in page and "https://" not in page and "style=" not in page


def test_look_alikes_come_from_an_index(ask, engine, photos, tmp_path):
    pictures, failed, _ = list_pictures([str(photo) for photo in photos])
    Index(tmp_path / "index", engine, create=True).add(pictures)
    client = ask(look_alikes=LookAlikes(tmp_path / "index", engine))
    assert client.get("/v1/networks").json()["look_alikes"] and not failed
    found = client.post("/v1/similar", files=form(photos[2])).json()["similar"]
    assert found[0]["file"] == photos[2].name and len(found) == len(photos)
    assert found[0]["distance"] < found[1]["distance"] / 5
    kind, _, content = found[0]["picture"].partition(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == (240, 240)
    assert ask().post("/v1/similar", files=form(photos[2])).status_code == 404


def test_prometheus_is_told_what_was_done(ask, photos, tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    client = ask()
    client.post("/v1/predict", files=form(photos[0], photos[1], tmp_path / "text.jpg"))
    client.get("/nowhere/<script>")
    assert client.get("/healthz").json() == {"status": "ok"}
    text = client.get("/metrics").text
    for line in (
        'alexnet_requests_total{route="/v1/predict",status="200"} 1.0',
        'alexnet_requests_total{route="/healthz",status="200"} 1.0',
        'alexnet_pictures_total{result="answered"} 2.0',
        'alexnet_pictures_total{result="unreadable"} 1.0',
        "alexnet_waiting_pictures 0.0",
        "alexnet_predict_seconds_count 1.0",
    ):
        assert line in text.splitlines()
    assert "script" not in text


def test_what_openapi_promises_is_there(ask):
    paths = ask().get("/openapi.json").json()["paths"]
    models = "/v1/models/{network}:predict"
    assert {models, "/v1/predict", "/v1/explain", "/v1/networks", "/healthz", "/metrics"} == {
        *paths
    }
    kinds = paths["/v1/predict"]["post"]["requestBody"]["content"]
    assert {*kinds} == {"multipart/form-data", "application/json", "image/*"}


def test_without_the_extra_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(serve, "PACKAGES", {"no_such_package": "no-such-package"})
    with pytest.raises(UserError, match="pip install no-such-package"):
        run_verb(serve)


def test_an_error_of_a_picture_in_memory_names_it(tmp_path):
    with (
        pytest.raises(ImageError, match=r"^a\.jpg: is text, no picture$"),
        decoded(InMemory("a.jpg", b"text")),
    ):
        pass
