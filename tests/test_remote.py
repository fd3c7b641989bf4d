"""Pictures behind addresses: every one arrives, and no server can do harm."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from alexnet_tf.data.dataset import open_dataset, write_lists
from alexnet_tf.data.images import remote
from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.data.images.preprocessing import load_image
from alexnet_tf.errors import UserError
from alexnet_tf.system import http
from tests.support.flaky import Flaky, drips, sends
from tests.support.memory import peak_of
from tests.support.pictures import classes, picture
from tests.support.places import ROOT
from tests.support.processes import running
from tests.support.small import LENET, job, train, weights_of


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Wait for less long than a user would; forget which hosts have failed, and connections."""
    monkeypatch.setattr(remote, "SILENCE", 1)
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(remote, "MOST_SECONDS", 5)
    remote._failures.clear()
    http.pools.cache_clear()


@pytest.fixture
def flaky(tmp_path):
    """Serve one picture, cat.png, by a server that does as it should."""
    picture(tmp_path / "site/cat.png")
    with Flaky(tmp_path / "site") as site:
        yield site


def listed(folder: Path, url: str, into: Path) -> Path:
    """Write lists, in two parts, of the faces in `folder` as they are called behind `url`."""
    into.mkdir()
    names = sorted(path.name for path in folder.glob("*.jpg"))
    lines = [f"{url}/{name} {name[:3]}\n" for name in names]
    (into / "part-0.txt").write_text("".join(lines[:31]))
    (into / "part-1.txt").write_text("".join(lines[31:]))
    return into


def reason(url: str) -> str:
    with pytest.raises(ImageError) as caught:
        load_image(url)
    return caught.value.reason


def test_a_training_gets_every_picture_of_a_server_that_fails_and_stalls(faces, tmp_path):
    """It is the same, to the bit, as with the folder; and goes on where the addresses change."""
    run, local = tmp_path / "run", tmp_path / "local"
    with Flaky(faces, fails=10, stalls=50) as site:
        lists = listed(faces, site.url, tmp_path / "lists")
        train(job(lists, run, epochs=1, **LENET))
        assert len(site.asked) > 120  # twice each, and some again
    first = job(faces, local, epochs=1, features=str(tmp_path / "others"), **LENET)
    train(first)
    assert weights_of(run) == weights_of(local)
    job(lists, run, epochs=1, **LENET)  # goes on without asking: the server is gone

    with Flaky(faces) as site:
        lists = listed(faces, site.url, tmp_path / "moved")
        second = job(lists, run, epochs=2, **LENET)
        assert len(site.asked) == 60  # once each, to see that they are the same
        assert second.dataset.fingerprint() == first.dataset.fingerprint()
        assert all(each.path.startswith(site.url) for each in second.dataset.train)
        train(second)
        assert len(site.asked) == 60


def test_what_cannot_be_had_is_left_out_and_named(faces, tmp_path):
    with Flaky(faces) as site:
        site.predictions["/cat.3.jpg"] = sends(b"<html>log in first</html>")
        site.predictions["/dog.4.jpg"] = sends(status=403)
        lists = listed(faces, site.url, tmp_path / "lists")
        (lists / "part-2.txt").write_text(f"{site.url}/cat.99.jpg cat\n")
        dataset = open_dataset(lists)
        write_lists(dataset, tmp_path)
    assert len(dataset.train) + len(dataset.validation) == 58
    assert (tmp_path / "rejected.txt").read_text().splitlines() == [
        f"{site.url}/cat.3.jpg\tis a web page, no picture",
        f"{site.url}/dog.4.jpg\tcannot be read: its server answers 403 Forbidden",
        f"{site.url}/cat.99.jpg\tdoes not exist",
    ]


def test_names_with_spaces_umlauts_and_questions_are_addresses_too(tmp_path):
    names = ["a b", "käse", "100%", "a,b", "x"]
    for name in names:
        picture(tmp_path / "site" / f"{name}.png")
    with Flaky(tmp_path / "site") as site:
        for name in ("a b.png", "käse.png", "a,b.png", "100%25.png", "x.png?signature=a+b%2Fc"):
            assert load_image(f"{site.url}/{name}").shape == (227, 227, 3)


def test_a_table_may_have_a_column_of_addresses(tmp_path):
    classes(tmp_path / "site", "aster", "tulip")
    with Flaky(tmp_path / "site") as site:
        rows = [f"{n},{site.url}/{(n // 4 and 'tulip') or 'aster'}/{n % 4}.png" for n in range(8)]
        rows = [f"{row},{'tulip' if n > 3 else 'aster'}" for n, row in enumerate(rows)]
        (tmp_path / "flowers.csv").write_text("\n".join(["index,url,species", *rows]))
        dataset = open_dataset(tmp_path / "flowers.csv")
    assert dataset.classes == ("aster", "tulip") and len(dataset.train) == 6


REDIRECT = {"Location": "file:///etc/hostname"}
HOSTILE = {
    "a redirect to a file": (
        sends(headers=REDIRECT, status=302),
        "it is sent on to file:///etc/hostname, which is neither http nor https",
    ),
    "a redirect to ftp": (
        sends(headers={"Location": "ftp://127.0.0.1/cat.png"}, status=301),
        "it is sent on to ftp://127.0.0.1/cat.png, which is neither http nor https",
    ),
    "a redirect to itself": (
        sends(headers={"Location": "/cat.png"}, status=302),
        "it is sent on more than 10 times",
    ),
    "an endless redirect": (
        sends(bytes(1 << 16), REDIRECT, status=302, again=True),
        "it is sent on to file:///etc/hostname",
    ),
    "a web page": (sends(b"<!doctype html><p>hello"), "is a web page, no picture"),
    "nothing": (sends(), "is empty, no picture"),
    "less than it says": (
        sends(b"\x89PNG", {"Content-Length": "999"}),
        "it breaks off 995 bytes before its end, after 6 attempts",
    ),
    "a length of terabytes": (
        sends(b"\x89PNG", {"Content-Length": str(1 << 40)}),
        "it has more than 67,108,864 bytes",
    ),
    "a length that is none": (sends(b"\x89PNG", {"Content-Length": "-5"}), "is text, no picture"),
    "an endless body": (sends(bytes(1 << 16), again=True), "it has more than 67,108,864 bytes"),
    "endless headers": (
        lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + 200 * b"a: b\r\n"),
        "got more than 100 headers",
    ),
    "no HTTP": (lambda handler: handler.wfile.write(b"SSH-2.0\r\n"), "SSH-2.0"),
    "a dripping header": (drips(b"HTTP/1.1 200 OK\r\nA: "), "it takes more than 2 seconds"),
    "a dripping body": (drips(b"HTTP/1.1 200 OK\r\n\r\n"), "it takes more than 2 seconds"),
    "dripping chunks": (
        drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        "it takes more than 2 seconds",
    ),
}


@pytest.mark.parametrize("harm", HOSTILE)
def test_a_hostile_server_costs_one_picture(flaky, monkeypatch, harm):
    monkeypatch.setattr(remote, "MOST_SECONDS", 2)
    flaky.predictions["/cat.png"], words = HOSTILE[harm]
    found = []
    assert peak_of(lambda: found.append(reason(f"{flaky.url}/cat.png"))) < 160 << 20  # bytes
    assert words in found[0]


def test_a_server_that_asks_for_time_gets_it(flaky):
    late = sends(headers={"Retry-After": "1"}, status=429)

    def once(handler):
        del flaky.predictions["/cat.png"]
        late(handler)

    flaky.predictions["/cat.png"] = once
    start = time.monotonic()
    assert load_image(f"{flaky.url}/cat.png").shape == (227, 227, 3)
    assert time.monotonic() - start > 1


def test_a_server_that_is_gone_is_not_asked_six_times_for_everything(flaky, monkeypatch):
    monkeypatch.setattr(remote, "PATIENCE", 2)
    flaky.fails = 1
    reasons = [reason(f"{flaky.url}/cat.png") for _ in range(4)]
    assert reasons[0] == (
        "cannot be read: its server answers 503 Service Unavailable, after 6 attempts"
    )
    assert len(flaky.asked) == 2 * 6 + 2
    flaky.fails = 0
    assert load_image(f"{flaky.url}/cat.png").shape == (227, 227, 3)


def test_nobody_listens():
    remote.FIRST_WAIT = 0
    assert reason("http://127.0.0.1:9/a.jpg").startswith("cannot be read: Connection refused")


@pytest.fixture
def silent():
    """Return addresses of this machine at which a port takes no more connections, nor refuses."""
    with ExitStack() as held:
        port, addresses = 0, []
        for number in range(2, 12):
            server = held.enter_context(socket.socket())
            server.bind((f"127.0.0.{number}", port))
            server.listen(0)
            port = server.getsockname()[1]
            addresses.append(server.getsockname())
            for _ in range(3):  # which fill its queue
                waiting = held.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(server.getsockname())
        yield addresses


def resolve(monkeypatch, addresses):
    """Give every name these addresses."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", each) for each in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def test_a_name_with_many_silent_addresses_takes_no_longer_than_with_one(monkeypatch, silent):
    resolve(monkeypatch, silent)
    monkeypatch.setattr(remote, "ATTEMPTS", 2)
    granted, grant = [], socket.socket.settimeout

    def settimeout(self, seconds):
        granted.append(seconds or 0)
        grant(self, seconds)

    monkeypatch.setattr(socket.socket, "settimeout", settimeout)
    assert "nothing comes for 1 seconds, after 2 attempts" in reason("http://many.test/cat.png")
    least = 0.001  # that one is waited for
    assert 1 < sum(granted) <= 2 * (1 + least * len(silent))


def test_the_last_address_of_a_name_may_answer(monkeypatch, silent, flaky):
    resolve(monkeypatch, [*silent[:3], flaky.server.server_address])
    assert load_image("http://many.test/cat.png").shape == (227, 227, 3)


def test_pictures_of_a_server_come_through_one_connection(flaky, monkeypatch):
    monkeypatch.setattr(flaky.server.RequestHandlerClass.func, "protocol_version", "HTTP/1.1")
    accepted, accept = [], flaky.server.get_request
    monkeypatch.setattr(flaky.server, "get_request", lambda: accepted.append(1) or accept())
    for _ in range(3):
        assert load_image(f"{flaky.url}/cat.png").shape == (227, 227, 3)
    assert (len(accepted), len(flaky.asked)) == (1, 3)


@pytest.mark.parametrize("protocol", ["HTTP/1.0", "HTTP/1.1"])
def test_nobody_is_sent_on_into_a_private_network(monkeypatch, flaky, tmp_path, protocol):
    """A server that counts as public names one on loopback; 1.1 keeps the connection to that."""
    monkeypatch.setattr(flaky.server.RequestHandlerClass.func, "protocol_version", protocol)
    picture(tmp_path / "secret/cat.png")
    with Flaky(tmp_path / "secret") as secret:
        flaky.predictions["/cat.png"] = sends(
            headers={"Location": f"{secret.url}/cat.png"}, status=302
        )
        assert load_image(f"{flaky.url}/cat.png").shape == (227, 227, 3)  # the list may name it

        public = "8.8.8.8"
        connect = socket.socket.connect

        def lead(self, address):
            connect(self, flaky.server.server_address if address[0] == public else address)

        monkeypatch.setattr(socket.socket, "connect", lead)
        port = flaky.server.server_port
        assert reason(f"http://{public}:{port}/cat.png") == (
            "cannot be read: it is sent on to 127.0.0.1, which is this machine or in a private "
            "network; name that address itself, if it is meant"
        )
        assert len(secret.asked) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_waits_for_many_pictures_ends_when_it_is_asked_to(tmp_path, number):
    with Flaky(tmp_path, stalls=1) as site:
        lines = [f"{site.url}/{place}.jpg\n" for place in range(300)]
        (tmp_path / "list.txt").write_text("".join(lines))
        words = ("-m", "alexnet_tf", "predict", "2", "list.txt", "--run", "starter")
        command = [sys.executable, *words, "--out", "a.jsonl"]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        with running(command, cwd=tmp_path, env=environment) as process:
            while len(site.asked) < 32:
                time.sleep(0.01)
                assert process.poll() is None
            asked = len(site.asked)
            process.send_signal(number)
            _, said = process.communicate()
            assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
            assert len(site.asked) == asked
            assert f"stopped by {number.name}" in said and "Traceback" not in said
            assert (tmp_path / "a.jsonl").read_text() == ""


@pytest.mark.parametrize(
    "url", ["http://[::1/a.jpg", "http://a:b@c/a.jpg", "https:///a.jpg", "http://"]
)
def test_what_is_no_address_is_said_to_be_none(url):
    assert re.search("no valid address|no host given", reason(url))


def test_a_server_nobody_vouches_for_is_not_believed(tmp_path, monkeypatch):
    """Its certificate is its own."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key),
         "-out", str(certificate)],
        capture_output=True,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("needs openssl")
    picture(tmp_path / "site/cat.png")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    site = Flaky(tmp_path / "site")
    site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
    url = site.url.replace("http://127.0.0.1", "https://localhost") + "/cat.png"
    with site:
        assert "self-signed certificate" in reason(url) and not site.asked
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        http.pools.cache_clear()
        assert load_image(url).shape == (227, 227, 3)


@pytest.mark.parametrize(
    "pattern", ["lists/part-*.txt", "lists/part-0.txt lists/part-1.txt", "lists"]
)
def test_several_lists_are_one(faces, tmp_path, monkeypatch, pattern):
    monkeypatch.chdir(tmp_path)
    listed(faces, str(faces), tmp_path / "lists")
    assert open_dataset(pattern).fingerprint() == open_dataset(faces).fingerprint()


def test_a_pattern_may_be_typed_without_quotes(faces, tmp_path, typed):
    listed(faces, str(faces), tmp_path / "lists")
    names = ["lists/part-0.txt", "lists/part-1.txt"]
    shown = typed("alexnet_tf", "data", *names, "--out", "out").stdout
    assert "all          52           8" in shown
    refused = typed("train_alexnet.py", "--data", *names, "--weights", "no.npy", code=2).stderr
    assert "no.npy" in refused


def test_lists_say_by_their_names_which_part_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    classes(tmp_path / "set", "aster", "tulip", count=6)
    for part, numbers in (("train", (0, 1)), ("train", (2, 3)), ("val", (4,)), ("test", (5,))):
        lines = [f"set/{name}/{n}.png {name}\n" for name in ("aster", "tulip") for n in numbers]
        (tmp_path / "lists").mkdir(exist_ok=True)
        (tmp_path / f"lists/{part}-{numbers[0]}.txt").write_text("".join(lines))
    dataset = open_dataset("lists")
    assert [len(p) for p in (dataset.train, dataset.validation, dataset.test)] == [8, 2, 2]
    with pytest.raises(UserError, match="nothing has such a name"):
        open_dataset("lists/nothing-*.txt")
