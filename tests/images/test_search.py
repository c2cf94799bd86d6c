"""Searching a pool and the web, and fetching what strangers name: within limits, and never from a private address."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from scotoma.core import ConfigError, ImageRecord
from scotoma.images.licences import allowed
from scotoma.images.search.addresses import is_public
from scotoma.images.search.fetching import Limits, Unfetchable, fetch_picture
from scotoma.images.search.pool import PicturePool
from scotoma.images.search.web import fetched, open_engine

NEAR = Limits(permitted=lambda address: address == "127.0.0.1", timeout=5.0)
"""Permits this machine, which nobody else should."""


def png(colour: str = "red", side: int = 64) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(data, "PNG")
    return data.getvalue()


Route = Callable[[BaseHTTPRequestHandler], None]


def sends(body: bytes, kind: str = "image/png", status: int = 200, **headers: str) -> Route:
    def route(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Type": kind, **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return route


@contextmanager
def web(routes: dict[str, Route]) -> Iterator[tuple[str, list[BaseHTTPRequestHandler]]]:
    """A server with these paths; its URL, and what was asked."""
    asked: list[BaseHTTPRequestHandler] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self)
            routes[urlsplit(self.path).path](self)

        def do_POST(self) -> None:
            self.posted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.do_GET()

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def refused(url: str, limits: Limits = NEAR) -> str:
    with pytest.raises(Unfetchable) as caught:
        fetch_picture(url, limits)
    return caught.value.reason


def test_a_picture_is_fetched_whole_with_what_it_is_like() -> None:
    with web({"/a.png": sends(png("blue", 256))}) as (url, _):
        picture = fetch_picture(f"{url}/a.png", NEAR)
    assert picture.data == png("blue", 256)
    assert picture.attributes["orientation"] == "square"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "0.0.0.0"])
def test_this_machine_is_refused_however_it_is_written(host: str) -> None:
    with web({"/a.png": sends(png())}) as (url, asked):
        port = urlsplit(url).port
        assert refused(f"http://{host}:{port}/a.png", Limits()) in ("address", "unreachable")
    assert asked == []


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://host/a.png", "http://user@127.0.0.1/a.png", "nothing"]
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    assert refused(url) == "address"


@pytest.mark.parametrize("host", ["a..b.example", "a" * 70 + ".example"])
def test_a_host_that_is_no_name_is_unreachable_at_once(
    host: str, recwarn: pytest.WarningsRecorder, capfd: pytest.CaptureFixture[str]
) -> None:
    assert refused(f"http://{host}/a.png", Limits(timeout=5)) in ("unreachable", "address")
    assert "Traceback" not in capfd.readouterr().err
    assert not [w for w in recwarn if w.category is pytest.PytestUnhandledThreadExceptionWarning]


def test_a_redirect_to_a_private_address_is_refused() -> None:
    with web({"/secret.png": sends(png())}) as (inside, asked):
        # A public host for the test is 127.0.0.1 under another name; the redirect goes to a private one.
        target = inside.replace("127.0.0.1", "127.0.0.2")
        with web({"/a.png": sends(b"", status=302, Location=f"{target}/secret.png")}) as (url, _):
            assert refused(f"{url}/a.png") == "address"
    assert asked == []


def test_a_name_that_leads_to_another_address_the_second_time_gains_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = iter(["93.184.215.14", "127.0.0.1"])
    resolved: list[str] = []

    def resolve(host: str, port: int, **options: Any) -> list[Any]:
        resolved.append(next(answers))
        return [(2, 1, 6, "", (resolved[-1], port))]

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    connected: list[object] = []

    async def connect(self: object, sock: object, address: object) -> None:
        connected.append(address)
        raise OSError("no network in tests")

    monkeypatch.setattr(asyncio.selector_events.BaseSelectorEventLoop, "sock_connect", connect)
    assert refused("http://rebinding.example/a.png", Limits()) == "unreachable"
    assert resolved == ["93.184.215.14"]
    assert connected == [("93.184.215.14", 80)]


def test_redirects_are_followed_a_few_times_only() -> None:
    def around(handler: BaseHTTPRequestHandler) -> None:
        sends(b"", status=302, Location=handler.path + "x")(handler)

    routes = {"/" + "x" * n: around for n in range(10)}
    with web(routes) as (url, asked):
        assert refused(f"{url}/x") == "redirects"
    assert len(asked) == NEAR.redirects + 1


def test_what_is_too_large_is_stopped_on_the_way() -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "image/png")
        handler.end_headers()
        try:
            for _ in range(1000):
                handler.wfile.write(b"\0" * 10_000)
        except OSError:
            return

    small = Limits(max_bytes=50_000, max_pixels=1000, permitted=NEAR.permitted)
    with web({"/a.png": endless, "/wide.png": sends(png(side=64))}) as (url, _):
        assert refused(f"{url}/a.png", small) == "size"
        assert refused(f"{url}/wide.png", small) == "size"


def test_what_is_no_picture_is_refused_whatever_it_says_it_is() -> None:
    with web(
        {
            "/page": sends(b"<html>", "text/html"),
            "/lie.png": sends(b"<html>hello</html>"),
            "/cut.png": sends(png()[:60]),
            "/gone.png": sends(b"", status=404),
            "/packed.png": sends(png(), Content_Encoding="gzip"),
        }
    ) as (url, _):
        reasons = [
            refused(f"{url}/{name}") for name in ("page", "lie.png", "cut.png", "gone.png", "packed.png")
        ]
    assert reasons == ["type", "unreadable", "unreadable", "status", "type"]


def test_a_name_server_that_takes_its_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    over, waited_out = threading.Event(), threading.Event()

    def silent(host: str, port: int, **options: Any) -> list[Any]:
        if not over.wait(10):
            waited_out.set()
        return []

    monkeypatch.setattr("socket.getaddrinfo", silent)
    try:
        assert refused("http://slow.example/a.png", Limits(timeout=0.2)) == "time"
        assert not waited_out.is_set()
    finally:
        over.set()


def test_a_server_that_takes_its_time_is_given_up() -> None:
    over = threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        over.wait(10)

    with web({"/a.png": slow}) as (url, _):
        try:
            assert refused(f"{url}/a.png", Limits(timeout=0.3, permitted=NEAR.permitted)) == "time"
        finally:
            over.set()


@given(st.ip_addresses())
def test_no_private_address_is_ever_public(address: Any) -> None:
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert not is_public(str(address))
    if address.version == 4:
        assert is_public(f"::ffff:{address}") == is_public(str(address))
        assert is_public(str(address)) or not is_public(f"64:ff9b::{address}")


def test_openverse_tells_licence_and_creator() -> None:
    row = {"url": "", "license": "by-sa", "license_version": "2.0", "creator": "Jane", "title": "Cups"}
    row["foreign_landing_url"] = "https://example.org/cups"
    routes: dict[str, Route] = {"/cups.png": sends(png())}
    with web(routes) as (url, asked):
        found = {"results": [{**row, "url": f"{url}/cups.png"}, {"title": "no picture"}]}
        routes["/v1/images/"] = sends(json.dumps(found).encode(), "application/json")
        [hit] = open_engine("openverse", NEAR, base_url=f"{url}/v1/images/").search("cups & plates", 5)
        record = fetched(hit, NEAR)
    assert parse_qs(urlsplit(asked[0].path).query) == {"q": ["cups & plates"], "page_size": ["5"]}
    assert (record.licence, record.source) == ("CC BY-SA 2.0 (Jane)", "openverse:https://example.org/cups")
    assert record.split == "train"


def test_commons_tells_licence_and_creator_without_markup() -> None:
    info = {
        "thumburl": "https://upload.example/cups.jpg",
        "descriptionurl": "https://commons.example/File:Cups.jpg",
        "extmetadata": {
            "LicenseShortName": {"value": "CC BY 4.0"},
            "Artist": {"value": '<a href="x">Jane Doe</a>'},
        },
    }
    pages = [{"index": 2, "title": "second"}, {"index": 1, "title": "File:Cups.jpg", "imageinfo": [info]}]
    found = json.dumps({"query": {"pages": pages}}).encode()
    with web({"/w/api.php": sends(found, "application/json; charset=utf-8")}) as (url, _):
        [hit] = open_engine("commons", NEAR, base_url=f"{url}/w/api.php").search("cups", 5)
    assert (hit.url, hit.licence, hit.creator) == ("https://upload.example/cups.jpg", "CC BY 4.0", "Jane Doe")


def test_serper_sends_its_key_to_its_own_server_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SERPER_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="SERPER_API_KEY"):
        open_engine("serper", NEAR)
    monkeypatch.setenv("SERPER_API_KEY", "secret")
    found = json.dumps({"images": [{"imageUrl": "https://a.example/b.jpg", "link": "https://a.example"}]})
    routes: dict[str, Route] = {"/images": sends(found.encode(), "application/json")}
    with web(routes) as (url, asked):
        [hit] = open_engine("serper", NEAR, base_url=f"{url}/images").search("cups", 5)
        routes["/images"] = sends(b"", status=307, Location=f"{url}/elsewhere")
        with pytest.raises(Unfetchable):
            open_engine("serper", NEAR, base_url=f"{url}/images").search("cups", 5)
    assert hit.licence == "unknown"
    assert [handler.headers["X-API-KEY"] for handler in asked] == ["secret", "secret"]
    assert [urlsplit(handler.path).path for handler in asked] == ["/images", "/images"]


def test_licences_are_held_to_by_name_not_by_how_they_begin() -> None:
    open_ones = ["CC0", "CC BY", "CC BY-SA", "PDM", "Public domain"]
    assert all(
        allowed(name, open_ones)
        for name in ("CC0 1.0", "cc by 2.0", "CC BY-SA 3.0 de (J. D.)", "Public domain")
    )
    assert not any(
        allowed(name, open_ones) for name in ("CC BY-NC 2.0", "CC BY-ND 4.0", "unknown", "Fair use")
    )


def record(folder: Path, name: str, colour: str, caption: str = "") -> ImageRecord:
    data = png(colour)
    path = folder / name
    path.write_bytes(data)
    if caption:
        path.with_suffix(".txt").write_text(caption)
    return ImageRecord(
        ImageRecord.hash(data), f"folder:photos/{name}", path=path, attributes={"brightness": "dark"}
    )


def test_a_pool_finds_captions_names_and_attributes(tmp_path: Path) -> None:
    pool = PicturePool(
        [
            record(tmp_path, "1.png", "red", "three red cups on a table"),
            record(tmp_path, "2.png", "blue", "a lake at night"),
            record(tmp_path, "blue_bicycle.png", "navy"),
        ]
    )
    assert [hit.image.source for hit in pool.search("cup table", 1)] == ["folder:photos/1.png"]
    assert [hit.image.source for hit in pool.search("bicycles", 2)] == ["folder:photos/blue_bicycle.png"]
    assert len(pool.search("dark", 5)) == 3
    assert pool.search("zebra", 3) == []


def test_a_pool_reads_the_captions_of_an_image_folder(tmp_path: Path) -> None:
    lines = [
        '{"file_name": "1.png", "text": "a zebra"}',
        "broken 1.png",
        '{"file_name": "2.png", "text": "a horse"}',
    ]
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    pool = PicturePool([record(tmp_path, "1.png", "red"), record(tmp_path, "2.png", "blue")])
    assert [hit.image.source for hit in pool.search("zebra", 3)] == ["folder:photos/1.png"]


def test_a_pool_without_words_finds_by_looks(tmp_path: Path) -> None:
    pool = PicturePool([record(tmp_path, f"{c}.png", c) for c in ("navy", "red", "yellow")])
    wanted = ImageRecord("x", "mine", data=png("darkblue", 32))
    assert pool.like(wanted, 1)[0].image.source == "folder:photos/navy.png"


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "168.63.129.16", "192.0.0.192", "::ffff:192.0.0.192", "fec0::1", "fe80::1"]
)
def test_metadata_services_and_a_sites_own_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)
