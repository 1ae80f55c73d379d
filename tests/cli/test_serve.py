"""`netspec serve`: a save shows in the browser, a fault is told over the last good page, no one else is answered."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from browser import Watch, launched, needs_browser
from playwright.sync_api import expect

from netspec.cli import main
from netspec.cli.commands.network.serve import local, site

pytestmark = pytest.mark.slow

SOUND = "netspec: 1\nname: it\ninputs: {x: [N, 4]}\nnetwork:\n  - linear: {name: fc, out_features: 3}\n"
FAULTY = SOUND.replace("linear", "liner")
PATIENCE = 60


class Served:
    """A running `netspec serve` of `it.yaml` in a folder."""

    def __init__(self, folder: Path, *options: str):
        command = [sys.executable, "-m", "netspec", "serve", "it.yaml", *(options or ("--port", "0"))]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
        )
        self.lines: queue.Queue[str] = queue.Queue()
        assert self.process.stdout is not None
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self.reader.start()
        self.told: list[str] = []
        while not self.told or not self.told[-1].startswith("http://"):
            self.told.append(self.lines.get(timeout=PATIENCE))
        self.url = self.told[-1].split()[0]
        self.port = int(self.url.rstrip("/").rpartition(":")[2])

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self.lines.put(line.rstrip("\n"))

    def ask(self, path: str = "/", host: str | None = None, method: str = "GET") -> tuple[int, str, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.putrequest(method, path, skip_host=True)
        for each in [f"127.0.0.1:{self.port}"] if host is None else host.split("|"):
            if each:
                connection.putheader("Host", each)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, body, dict(answer.getheaders())

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=PATIENCE)
        self.reader.join(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "it.yaml").write_text(SOUND, encoding="utf-8")
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    running = Served(tmp_path)
    yield running
    assert running.end() == 0


def save(path: Path, text: str) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def events(served: Served) -> Iterator[dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE)
    connection.request("GET", "/events", headers={"Host": f"localhost:{served.port}"})
    answer = connection.getresponse()
    assert answer.getheader("Content-Type") == "text/event-stream"
    while line := answer.readline().decode():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def test_only_its_own_name_is_answered(served: Served):
    port = served.port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        assert served.ask(host=host)[0] == 200
    refused = ("evil.example", f"evil.example:{port}", "127.0.0.1", "localhost", f"127.0.0.1:{port + 1}", "")
    for host in (*refused, f"localhost.evil.example:{port}", f"127.0.0.1:{port}|evil.example"):
        for path in ("/", "/events"):
            assert served.ask(path, host)[0] == 403, host


def test_nothing_but_the_page_and_its_news_is_here(served: Served):
    for path in ("/it.yaml", "/secret.txt", "/../secret.txt", "/.", "/?", "/%2e%2e/secret.txt", "/index.html"):
        status, body, _ = served.ask(path)
        assert status == 404
        assert "secret" not in body
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "HEAD", "CONNECT"):
        assert served.ask(method=method)[0] == 501


def test_other_machines_cannot_reach_it(served: Served):
    own = socket.gethostbyname(socket.gethostname())
    if own.startswith("127."):
        own = "127.0.0.2"  # an address of this machine too, but another one
    with pytest.raises(OSError, match=r"refused|reach|timed out"):
        socket.create_connection((own, served.port), timeout=2)


def test_the_page_asks_its_server_alone(served: Served):
    status, body, headers = served.ask()
    assert status == 200
    assert "default-src 'none'" in body
    assert "connect-src 'self'" in body
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    assert "Python" not in headers["Server"]


def test_a_save_is_news(served: Served, tmp_path: Path):
    news = events(served)
    first = next(news)
    assert (first["fault"], first["texts"], first["marks"]) == ("", [], [])
    save(tmp_path / "it.yaml", FAULTY)
    told = next(news)
    assert told["version"] == first["version"]
    assert str(told["fault"]).startswith("error[unknown-op]")
    assert told["texts"] == [{"name": "it.yaml", "text": FAULTY}]
    assert [(mark["text"], mark["line"]) for mark in told["marks"]] == [(0, 5)]
    assert "fc" in served.ask()[1]
    save(tmp_path / "it.yaml", SOUND.replace("fc", "head"))
    mended = next(news)
    assert mended["fault"] == ""
    assert mended["version"] != first["version"]
    assert "head" in served.ask()[1]
    (tmp_path / "it.yaml").unlink()
    assert "no such file" in str(next(news)["fault"])


def test_a_port_that_is_taken_is_the_machines_fault(tmp_path: Path):
    (tmp_path / "it.yaml").write_text(SOUND, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, "-m", "netspec", "serve", "it.yaml", "--port", str(taken.getsockname()[1])]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 3
    assert "cannot serve at port" in done.stderr


@needs_browser
def test_a_browser_follows_the_file(served: Served, tmp_path: Path):
    spec = tmp_path / "it.yaml"
    with launched() as browser:
        page = browser.new_page()
        watch = Watch(page)
        page.goto(served.url)
        expect(page.locator('tr[data-path="fc"]')).to_have_count(1)
        page.locator('#heat button[value="params"]').click()
        page.locator('[data-dim="N"] input[type=number]').fill("5")

        save(spec, FAULTY)
        expect(page.locator("#fault")).to_contain_text("error[unknown-op]")
        expect(page.locator("#fault")).to_contain_text("it.yaml:5")
        expect(page.locator('tr[data-path="fc"]')).to_have_count(1)

        save(spec, SOUND.replace("fc", "head"))
        expect(page.locator('tr[data-path="head"]')).to_have_count(1)
        expect(page.locator("#fault")).to_have_count(0)
        expect(page.locator('#heat button[value="params"]')).to_have_attribute("aria-pressed", "true")
        expect(page.locator('[data-dim="N"] input[type=number]')).to_have_value("5")
        assert watch.said == []
        assert {url for url in watch.asked if url != "data:,"} == {served.url, f"{served.url}events"}


@needs_browser
def test_a_spec_that_was_never_right_is_told_until_it_is(tmp_path: Path):
    (tmp_path / "it.yaml").write_text(FAULTY.replace("liner", '"<img src=x onerror=alert(1)>"'), encoding="utf-8")
    served = Served(tmp_path)
    with launched() as browser:
        page = browser.new_page()
        watch = Watch(page)
        page.goto(served.url)
        expect(page.locator("#fault")).to_contain_text("<img src=x onerror=alert(1)>")
        assert page.locator("img").count() == 0
        save(tmp_path / "it.yaml", SOUND)
        expect(page.locator('tr[data-path="fc"]')).to_have_count(1)
        assert watch.said == []
    assert served.end() == 0


MORE = SOUND + "  - relu\n  - linear: {name: last, out_features: 2}\n"
MORE_AT_FAULT = MORE.replace("  - relu\n", "  - dropout: 0.1\n  - reluu\n")


@needs_browser
def test_the_line_at_fault_is_lit_in_the_text_as_it_was_saved(tmp_path: Path):
    (tmp_path / "it.yaml").write_text(MORE, encoding="utf-8")
    served = Served(tmp_path)
    with launched() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 800})
        page.goto(served.url)
        expect(page.locator('tr[data-path="last"]')).to_have_count(1)
        save(tmp_path / "it.yaml", MORE_AT_FAULT)
        fault = page.locator("#source li.fault")
        expect(fault).to_have_count(1)
        assert fault.text_content() == "  - reluu"
        assert "relu" in str(fault.get_attribute("data-fault"))
        expect(page.locator("#source li").nth(5)).to_have_text("  - dropout: 0.1")
        box, shown = page.locator("#fault").bounding_box(), fault.bounding_box()
        assert box is not None
        assert shown is not None
        assert shown["y"] + shown["height"] <= box["y"], "the error covers the line that it is about"

        page.locator('tr[data-path="last"]').click()  # lines that are as before belong to their layers still
        expect(page.locator("#source li.selected")).to_have_text("  - linear: {name: last, out_features: 2}")
        save(tmp_path / "it.yaml", MORE)
        expect(page.locator("#source li.fault")).to_have_count(0)
    assert served.end() == 0


@needs_browser
def test_a_fault_is_closed_and_a_page_that_is_stale_says_so(served: Served, tmp_path: Path):
    with launched() as browser:
        page = browser.new_page()
        page.goto(served.url)
        page.locator('tr[data-path="fc"]').click()
        expect(page.locator("#sign")).to_be_hidden()
        save(tmp_path / "it.yaml", FAULTY)
        expect(page.locator("#fault")).to_be_visible()
        expect(page.locator("#sign")).to_contain_text("last valid state")
        page.keyboard.press("Escape")
        expect(page.locator("#fault")).to_have_count(0)
        expect(page.locator('tr[data-path="fc"]')).to_have_class("selected")  # Esc closed the fault alone
        expect(page.locator("#sign")).to_contain_text("last valid state")
        expect(page.locator("#source li.fault")).to_have_count(1)
        page.get_by_role("button", name="show the error").click()
        expect(page.locator("#fault")).to_contain_text("error[unknown-op]")
        page.get_by_role("button", name="Close the error").click()
        expect(page.locator("#fault")).to_have_count(0)
        save(tmp_path / "it.yaml", FAULTY.replace("liner", "linnear"))
        expect(page.locator("#fault")).to_contain_text("linnear")  # another fault is shown again
        save(tmp_path / "it.yaml", SOUND)
        expect(page.locator("#sign")).to_be_hidden()
        expect(page.locator("#fault")).to_have_count(0)


@needs_browser
def test_a_page_whose_server_is_gone_says_so_and_comes_back(tmp_path: Path):
    (tmp_path / "it.yaml").write_text(SOUND, encoding="utf-8")
    served = Served(tmp_path)
    with launched() as browser:
        page = browser.new_page()
        page.goto(served.url)
        page.locator('#heat button[value="params"]').click()
        assert served.end() == 0
        expect(page.locator("#sign")).to_contain_text("no longer answers")
        expect(page.locator('tr[data-path="fc"]')).to_have_count(1)
        save(tmp_path / "it.yaml", SOUND.replace("fc", "head"))  # while nobody looks
        again = Served(tmp_path, "--port", str(served.port))
        expect(page.locator('tr[data-path="head"]')).to_have_count(1, timeout=20_000)
        expect(page.locator("#sign")).to_be_hidden()
        expect(page.locator('#heat button[value="params"]')).to_have_attribute("aria-pressed", "true")
        assert again.end() == 0


def test_a_request_has_its_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(local, "PATIENCE", 0.4)
    server = site.Server(site.Site(), 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as slow:
            with contextlib.suppress(OSError):  # a byte at a time never lets the socket's own clock run out
                for byte in b"GET / HTTP/1.1\r\nX: " + b"x" * 100:
                    slow.sendall(bytes([byte]))
                    time.sleep(0.05)
                pytest.fail("every byte was taken, long after the time of a request was over")
            with contextlib.suppress(OSError):
                assert slow.recv(1) == b""
    finally:
        server.shutdown()
        server.server_close()


def test_a_file_that_is_not_there_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["serve", str(tmp_path / "nope.yaml"), "--port", "0"]) == 2
    assert "no such file" in capsys.readouterr().err
