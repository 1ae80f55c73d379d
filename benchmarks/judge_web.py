"""onnxruntime-web in headless Chromium, for `judge.py`: needs Playwright, a Chromium and the package from npm."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

SCRIPT = """async ([model, inputs]) => {
  const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0))
  const text = bytes => btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(""))
  const arrays = {float32: Float32Array, int64: BigInt64Array, int32: Int32Array, bool: Uint8Array, uint8: Uint8Array}
  if (window.opened !== model) {
    await window.session?.release()
    window.session = await ort.InferenceSession.create(model, {executionProviders: ["wasm"]})
    window.opened = model
  }
  const feeds = {}
  for (const name of session.inputNames) {
    const {type, dims, data} = inputs[name]
    feeds[name] = new ort.Tensor(type, new arrays[type](bytes(data).buffer), dims)
  }
  const made = await session.run(feeds)
  return session.outputNames.map(name => {
    const {type, dims, data} = made[name]
    const held = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    return {type, dims: [...dims].map(Number), data: text(held)}
  })
}"""


class Served(BaseHTTPRequestHandler):
    """Answers the page: with itself, a file of the package, or a model by its whole path."""

    def __init__(self, dist: Path, *given: Any):
        self.dist = dist
        super().__init__(*given)

    def do_GET(self) -> None:
        """Answer a request."""
        path = self.path.lstrip("/")
        file = Path(path.removeprefix("model")) if path.startswith("model/") else self.dist / path
        held = file.read_bytes() if path else b"<!doctype html><title>runtime</title>"
        kinds = {".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm"}
        kind = kinds.get(file.suffix, "application/octet-stream") if path else "text/html"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(held)))
        self.end_headers()
        self.wfile.write(held)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Page:
    """A page that has loaded onnxruntime-web from the folder that npm has put it in."""

    def __init__(self, dist: Path):
        from playwright.sync_api import sync_playwright

        found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        self.playwright = sync_playwright().start()
        self.browser = self.playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        self.page = self.browser.new_page()
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Served, dist))
        Thread(target=server.serve_forever, daemon=True).start()
        self.host = f"http://127.0.0.1:{server.server_port}/"
        self.page.goto(self.host)
        self.page.add_script_tag(url=f"{self.host}ort.wasm.min.js")
        self.page.evaluate(f"ort.env.wasm.numThreads = 1; ort.env.wasm.wasmPaths = '{self.host}'")

    def run(self, model: str, inputs: Mapping[str, Any]) -> Sequence[Any]:
        """Return the outputs of a model."""
        given = {name: _packed(np.asarray(each)) for name, each in inputs.items()}
        made = self.page.evaluate(SCRIPT, [f"{self.host}model{model}", given])
        return [np.frombuffer(base64.b64decode(each["data"]), each["type"]).reshape(each["dims"]) for each in made]


def opened_page() -> Page:
    """Open the page of the package that the environment names."""
    return Page(Path(os.environ["ONNXRUNTIME_WEB"]))


def _packed(array: np.ndarray) -> dict[str, Any]:
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"type": array.dtype.name, "dims": [*array.shape], "data": data}
