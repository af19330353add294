"""Opens pages of the built book in headless Chromium, from file:// with the network off.

Speaks the DevTools protocol over a websocket (websocket-client comes with Jupyter), so it needs no Node
and no driver. It reports what a page asked the network for, errors on its console, and lets a test
evaluate JavaScript in it.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
)


def executable() -> str | None:
    """Path of an installed Chromium or Chrome, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@dataclass
class Page:
    """One tab. `remote` lists addresses requested outside file:, `errors` what went wrong in the console."""

    socket: websocket.WebSocket
    remote: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    loaded: bool = False
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One protocol command and its answer; events that arrive meanwhile are recorded."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]
            self.record(message)

    def record(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Page.loadEventFired":
                self.loaded = True
            case "Network.requestWillBeSent":
                address = params["request"]["url"]
                if not address.startswith(("file:", "data:", "blob:", "about:")):
                    self.remote.append(address)
            case "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description", details["text"]))
            case "Runtime.consoleAPICalled" if params["type"] == "error":
                self.errors.append(
                    " ".join(str(a.get("value", a.get("description"))) for a in params["args"])
                )
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    def evaluate(self, expression: str) -> Any:
        """Value of a JavaScript expression (promises are awaited). Raises RuntimeError with its exception."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["exception"]["description"])
        return result["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 20.0) -> None:
        """Wait until a JavaScript expression is true. Raises TimeoutError naming it."""
        end = time.monotonic() + seconds
        while not self.evaluate(f"Boolean({expression})"):
            if time.monotonic() > end:
                raise TimeoutError(f"not true after {seconds} s: {expression}; console errors: {self.errors}")
            time.sleep(0.05)

    def open(
        self,
        path: Path,
        query: str = "",
        width: int = 1200,
        height: int = 900,
        dark: bool = False,
        seconds: float = 30.0,
    ) -> None:
        """Load a file and wait until it is ready, formulas included. Forgets what earlier pages reported."""
        self.remote.clear()
        self.errors.clear()
        self.loaded = False
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=path.resolve().as_uri() + query)
        end = time.monotonic() + seconds
        while not self.loaded:
            self.evaluate("0")
            if time.monotonic() > end:
                raise TimeoutError(f"{path.name} did not finish loading; console errors: {self.errors}")
            time.sleep(0.02)
        self.wait_for("document.readyState === 'complete'")
        self.evaluate("window.MathJax?.startup?.promise?.then(() => true) ?? true")

    def screenshot(self, path: Path, full: bool = False) -> None:
        """Write a PNG of the window, or of the whole page."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=full)["data"]
        path.write_bytes(base64.b64decode(data))


@contextmanager
def browser(timeout: float = 60.0) -> Iterator[Page]:
    """A fresh Chromium with one tab, ended and removed afterwards. RuntimeError if it does not start.

    timeout: seconds that one answer may take.
    """
    program = executable()
    if program is None:
        raise RuntimeError("no Chromium found; install chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stderr is not None
            port = next(
                (
                    m[1]
                    for line in process.stderr
                    if (m := re.search(r"DevTools listening on ws://[^:]+:(\d+)/", line))
                ),
                None,
            )
            if port is None:
                raise RuntimeError(f"{program} ended with status {process.wait()} before it could be used")
            yield connect(port, timeout)
        finally:
            process.terminate()
            process.wait(timeout=20)


def connect(port: str, timeout: float = 60.0) -> Page:
    """The first tab of the one that listens on this port, with reports switched on and the network off."""
    tabs = json.load(build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/json", timeout=20))
    address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
    page = Page(websocket.create_connection(address, timeout=timeout, suppress_origin=True))
    for domain in ("Page", "Network", "Runtime", "Log"):
        page.call(f"{domain}.enable")
    page.call("Emulation.setFocusEmulationEnabled", enabled=True)
    page.call(
        "Network.emulateNetworkConditions",
        offline=True,
        latency=0,
        downloadThroughput=-1,
        uploadThroughput=-1,
    )
    return page
