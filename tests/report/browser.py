"""A headless Chromium for tests, spoken to in plain WebDriver: open a page at a size, ask it things, photograph it.

with Browser() as browser:
    browser.open(path, width=390, dark=True)
    browser.ask("return document.title")
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
INSTALLED = CHROMIUM is not None and DRIVER is not None


class Browser:
    """One window, without a network: whatever the page fetched would fail and be logged."""

    def __enter__(self) -> Browser:
        assert CHROMIUM is not None
        assert DRIVER is not None
        self._driver = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, text=True)
        assert self._driver.stdout is not None
        port = next(
            m[1] for line in self._driver.stdout if (m := re.search(r"successfully on port (\d+)", line))
        )
        self._root = f"http://127.0.0.1:{port}"
        arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--disable-dev-shm-usage",
        ]
        try:
            wanted = {
                "goog:chromeOptions": {"binary": CHROMIUM, "args": arguments},
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            }
            session = self._post("/session", {"capabilities": {"alwaysMatch": wanted}})
        except BaseException:
            self._driver.kill()
            raise
        self._root += f"/session/{session['sessionId']}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            urllib.request.urlopen(urllib.request.Request(self._root, method="DELETE"), timeout=30).close()
        finally:
            self._driver.kill()
            self._driver.wait()

    def open(self, path: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Show a file in a window of this size, in a system that prefers light or dark."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._cdp("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._cdp("Emulation.setEmulatedMedia", {"features": [scheme]})
        self._post("/url", {"url": path.resolve().as_uri()})

    def ask(self, script: str) -> Any:
        """What a script returns in the page."""
        return self._post("/execute/sync", {"script": script, "args": []})

    def console(self) -> list[str]:
        """Every message since the last call."""
        return [str(entry["message"]) for entry in self._post("/se/log", {"type": "browser"})]

    def requested(self) -> list[str]:
        """Every address that was asked for since the last call."""
        events = [
            json.loads(entry["message"])["message"]
            for entry in self._post("/se/log", {"type": "performance"})
        ]
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]

    def photograph(self, path: Path) -> None:
        """The whole page as PNG."""
        shot = self._cdp("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True})
        path.write_bytes(base64.b64decode(shot["data"]))

    def _cdp(self, command: str, parameters: dict[str, Any]) -> Any:
        return self._post("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def _post(self, path: str, document: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            self._root + path, json.dumps(document).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)["value"]
