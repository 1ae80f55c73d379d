"""The extension in VS Code itself: built, installed into code-server, and used in Chromium.

It runs where NETSPEC_CODE_SERVER names a folder that `node editors/vscode/scripts/code-server.mjs FOLDER` has filled.
NETSPEC_PICTURES names a folder for pictures of what was seen.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, launched
from editors.npm import EXTENSION, needed, npm
from places import ROOT
from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect

FOLDER = os.environ.get("NETSPEC_CODE_SERVER")
PICTURES = os.environ.get("NETSPEC_PICTURES")
PATIENCE = 60_000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(FOLDER is None, reason="NETSPEC_CODE_SERVER names no code-server"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]

SMALL = """\
netspec: 1
name: digits
inputs: {image: [N, 1, 28, 28]}
network:
  - conv2d: {out_channels: 32, kernel_size: 3}
  - relu
  - max_pool2d: 2
  - flatten
  - linear: {name: head, out_features: 10}
variants:
  again: {}
"""
SETTINGS = {
    "netspec.interpreter": sys.executable,
    "security.workspace.trust.enabled": False,
    "telemetry.telemetryLevel": "off",
    "workbench.startupEditor": "none",
    "workbench.colorTheme": "Default Dark Modern",
    "workbench.enableExperiments": False,
    "editor.minimap.enabled": False,
    "editor.hover.delay": 100,
    "extensions.autoCheckUpdates": False,
    "git.enabled": False,
    "terminal.integrated.gpuAcceleration": "off",
    "files.autoSave": "afterDelay",
    "files.autoSaveDelay": 100,
}


def write_files(folder: Path) -> None:
    """Write a workspace: two specs, one with an error that is not opened, and a YAML file that is no spec."""
    (folder / "small.net.yaml").write_text(SMALL, encoding="utf-8")
    (folder / "lenet.yaml").write_text((ROOT / "specs" / "lenet.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "closed.yaml").write_text(SMALL.replace("relu", "relue"), encoding="utf-8")
    (folder / "other.yaml").write_text("on: push\n", encoding="utf-8")


class CodeServer:
    """A running code-server that has the extension and shows a workspace."""

    def __init__(self, folder: Path, settings: dict[str, object], path: str | None = None):
        own = {"PATH": path, "VSCODE_CLI": "1"} if path else {}  # VSCODE_CLI: ask no login shell for another PATH
        self.environment = {**os.environ, **own}
        self.data, self.workspace = folder / "data", folder / "workspace"
        (self.data / "User").mkdir(parents=True)
        (self.data / "User" / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
        self.workspace.mkdir()
        write_files(self.workspace)
        self.run("--install-extension", str(EXTENSION / "netspec.vsix"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        quiet = ["--auth", "none", "--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"]
        command = self.command("--bind-addr", f"127.0.0.1:{self.port}", *quiet)
        # A session of its own, so that what it starts ends with it.
        quietly = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, env=self.environment, start_new_session=True, **quietly)
        self.url = f"http://127.0.0.1:{self.port}/?folder={self.workspace}"
        self.wait()

    def command(self, *words: str) -> list[str]:
        entry = Path(FOLDER or "") / "node_modules" / "code-server" / "out" / "node" / "entry.js"
        config = ["--config", str(self.data / "config.yaml")]
        folders = ["--user-data-dir", str(self.data), "--extensions-dir", str(self.data / "extensions")]
        return [shutil.which("node") or "node", str(entry), *config, *folders, *words]

    def run(self, *words: str) -> None:
        subprocess.run(self.command(*words), check=True, capture_output=True, timeout=120)

    def wait(self) -> None:
        for _ in range(300):
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError("code-server does not answer")

    def close(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(timeout=30)


class Workbench:
    """A window of VS Code in the browser."""

    def __init__(self, page: Page, server: CodeServer):
        self.page, self.server = page, server
        page.set_default_timeout(PATIENCE)
        page.goto(server.url)
        page.locator(".explorer-folders-view .monaco-list-row").first.wait_for()

    def open(self, name: str) -> None:
        """Open a file of the workspace, alone."""
        self.command("View: Close All Editors")
        write_files(self.server.workspace)
        self.page.locator(".explorer-folders-view .monaco-list-row", has_text=name).dblclick()
        expect(self.page.locator(".tab.active")).to_contain_text(name, timeout=PATIENCE)

    def command(self, title: str) -> None:
        """Run a command by its title."""
        self.page.keyboard.press("F1")
        box = self.page.locator(".quick-input-widget input[type=text]").first
        expect(box).to_have_value(re.compile("^>"))
        box.fill(f">{title}")
        self.choose(title)

    def choose(self, title: str) -> None:
        row = self.page.locator(".quick-input-list .monaco-list-row", has_text=title).first
        row.click()

    def write(self, line: str, text: str) -> None:
        """Put another text in the place of a line of the editor that holds some text; its indentation stays."""
        self.page.locator(".view-line", has_text=line).first.click()
        self.page.keyboard.press("Home")
        self.page.keyboard.press("Shift+End")
        self.page.keyboard.type(text)
        self.page.keyboard.press("Escape")

    def webview(self) -> FrameLocator:
        """Return the page of the last panel."""
        return self.page.frame_locator("iframe.webview.ready").frame_locator("iframe#active-frame")

    @property
    def status(self) -> Locator:
        return self.page.locator("[id*='netspec.status']").first

    def picture(self, name: str) -> None:
        if PICTURES:
            self.page.screenshot(path=str(Path(PICTURES) / f"{name}.png"))


@pytest.fixture(scope="module")
def packed() -> None:
    needed()
    done = npm("run", "package")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def server(packed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CodeServer]:
    made = CodeServer(tmp_path_factory.mktemp("code-server"), SETTINGS)
    yield made
    made.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as found:
        yield found


@pytest.fixture(scope="module")
def bench(browser: Browser, server: CodeServer) -> Workbench:
    return Workbench(browser.new_page(viewport={"width": 1500, "height": 900}), server)


def test_shapes_and_the_size_of_the_network_are_shown(bench):
    bench.open("small.net.yaml")
    bench.page.locator(".view-line", has_text="→ [N, 10]").wait_for()
    lines = bench.page.locator(".view-line").all_inner_texts()
    assert any("conv2d" in line and "[N, 32, 26, 26]" in line.replace("\xa0", " ") for line in lines)
    expect(bench.status).to_contain_text("digits: 54.4k params")
    bench.picture("shapes")


def test_a_mistake_is_underlined_and_explained(bench):
    bench.open("small.net.yaml")
    bench.page.locator(".view-line", has_text="→ [N, 10]").wait_for()
    bench.write("- relu", "- relue")
    bench.page.locator(".squiggly-error").wait_for()
    expect(bench.status).to_contain_text("1 error")
    bench.page.locator(".view-line", has_text="relue").locator("span", has_text="relue").last.hover()
    expect(bench.page.locator(".monaco-hover:visible", has_text="did you mean")).to_be_visible(timeout=PATIENCE)
    bench.picture("mistake")
    bench.page.keyboard.press("Control+Period")
    repair = bench.page.locator(".action-widget .monaco-list-row", has_text="Change to `relu`")
    repair.wait_for()
    bench.page.keyboard.press("Enter")
    expect(bench.page.locator(".squiggly-error")).to_have_count(0, timeout=PATIENCE)
    expect(bench.status).to_contain_text("digits: 54.4k params")


def test_the_explorer_stands_beside_the_text_and_follows_it(bench):
    bench.open("small.net.yaml")
    bench.page.locator(".view-line", has_text="→ [N, 10]").wait_for()
    bench.command("netspec: Show the explorer beside the text")
    page = bench.webview()
    expect(page.locator("#table")).to_contain_text("conv2d", timeout=PATIENCE)
    bench.picture("explorer")
    page.locator("#heat button[value=macs]").click()
    bench.write("- relu", "- gelu")
    expect(page.locator("#table")).to_contain_text("gelu", timeout=PATIENCE)
    expect(page.locator("html")).to_have_attribute("data-heat", "macs")
    bench.write("- gelu", "- gelue")
    expect(page.locator("#sign")).to_contain_text("last valid state", timeout=PATIENCE)
    bench.picture("explorer-fault")
    bench.write("- gelue", "- relu")
    expect(page.locator("#sign")).to_be_hidden(timeout=PATIENCE)


def test_layers_and_lines_lead_to_each_other(bench):
    bench.open("small.net.yaml")
    bench.page.locator(".view-line", has_text="→ [N, 10]").wait_for()
    bench.command("netspec: Show the explorer beside the text")
    page = bench.webview()
    page.locator("#table tr", has_text="max_pool2d").first.click()
    bench.command("View: Focus First Editor Group")
    expect(bench.page.locator("[id='status.editor.selection']")).to_contain_text("Ln 7", timeout=PATIENCE)
    bench.page.locator(".view-line", has_text="flatten").click()
    expect(page.locator("#table tr.lit")).to_contain_text("flatten", timeout=PATIENCE)
    bench.picture("linked")


def test_the_diagram_is_shown(bench):
    bench.open("small.net.yaml")
    bench.page.locator(".view-line", has_text="→ [N, 10]").wait_for()
    bench.command("netspec: Show the diagram")
    expect(bench.webview().locator("#paper svg")).to_contain_text("flatten", timeout=PATIENCE)
    bench.picture("diagram")


def test_a_yaml_file_that_begins_with_netspec_is_a_spec_and_has_variants(bench):
    bench.open("lenet.yaml")
    bench.page.locator(".view-line", has_text="→").first.wait_for()
    expect(bench.page.locator("[id='status.editor.mode']")).to_contain_text("netspec")
    bench.command("netspec: Show the explorer beside the text")
    page = bench.webview()
    expect(page.locator("#name")).to_have_text("lenet", timeout=PATIENCE)
    bench.command("netspec: Show another variant of the spec")
    bench.picture("variant")
    bench.choose("lenet_modern")
    expect(page.locator("#name")).to_have_text("lenet_modern", timeout=PATIENCE)
    bench.picture("variant")


def test_another_yaml_file_is_left_alone(bench):
    bench.open("other.yaml")
    expect(bench.page.locator("[id='status.editor.mode']")).to_contain_text("YAML", timeout=PATIENCE)
    expect(bench.page.locator("[id*='netspec.status']")).to_have_count(0)


def test_all_specs_are_checked(bench):
    bench.open("small.net.yaml")
    bench.command("netspec: Check all specs of the workspace")
    told = bench.page.locator(".notifications-toasts", has_text="1 of 3 specs has errors.")
    expect(told).to_be_visible(timeout=PATIENCE)
    told.get_by_role("button", name="Show them").click()
    problems = bench.page.locator(".markers-panel")
    expect(problems).to_contain_text("closed.yaml", timeout=PATIENCE)
    expect(problems).to_contain_text("relue")
    bench.picture("all-specs")
    bench.command("View: Toggle Panel Visibility")


def test_training_runs_in_a_terminal(bench):
    bench.open("small.net.yaml")
    bench.page.locator(".view-line", has_text="→ [N, 10]").wait_for()
    bench.command("netspec: Train in a terminal")
    bench.choose("the defaults")
    terminal = bench.page.locator(".terminal-wrapper .xterm-rows")
    expect(terminal.first).to_contain_text("does not say how it is trained", timeout=PATIENCE)
    bench.picture("training")


def test_netspec_is_installed_when_it_is_asked_for(packed, browser, tmp_path):
    """The Python on this PATH has no netspec; the extension brings it, and the registry the packages that it needs."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python3").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
    settings = {name: value for name, value in SETTINGS.items() if name != "netspec.interpreter"}
    server = CodeServer(tmp_path, settings, f"{programs}:/usr/bin:/bin")
    try:
        bench = Workbench(browser.new_page(viewport={"width": 1500, "height": 900}), server)
        bench.open("small.net.yaml")
        expect(bench.status).to_contain_text("netspec not found", timeout=PATIENCE)
        told = bench.page.locator(".notifications-toasts", has_text="netspec was not found")
        bench.picture("not-found")
        told.get_by_role("button", name="Install netspec…").click()
        dialog = bench.page.locator(".monaco-dialog-box")
        expect(dialog).to_contain_text("PyTorch is not among them")
        dialog.get_by_role("button", name="Install").click()
        bench.page.locator(".view-line", has_text="→ [N, 10]").wait_for(timeout=5 * PATIENCE)
        expect(bench.status).to_contain_text("digits: 54.4k params")
        bench.picture("installed")
    finally:
        server.close()
    own = server.data / "User" / "globalStorage" / "netspec.netspec" / "environment"
    names = {each.name.lower() for each in own.glob("lib/python*/site-packages/*")}
    assert {"netspec", "pygls"} <= names
    assert not {"torch", "onnx"} & names
