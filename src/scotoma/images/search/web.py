"""Searching the web for pictures: engines behind one protocol, each hit with its licence and where it comes from.

Off unless somebody names an engine. Everything is fetched under `fetching.Limits`; a picture's record keeps the page it
is from and its licence with the creator's name, which most licences want to be told.

    engine = open_engine("openverse", Limits())
    [hit, *_] = engine.search("cups on a table", 5)
    fetched(hit, Limits()).licence        # "CC BY 2.0 (Jane Doe)"
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from yarl import URL

from scotoma.core import ConfigError, ImageRecord
from scotoma.images.search.fetching import Limits, Unfetchable, fetch, fetch_picture

UNKNOWN = "unknown"

OPENVERSE = "https://api.openverse.org/v1/images/"
COMMONS = "https://commons.wikimedia.org/w/api.php"
SERPER = "https://google.serper.dev/images"
SERPER_KEY = "SERPER_API_KEY"
"""The environment variable with Serper's key."""

_TAGS = re.compile(r"<[^>]*>")


@dataclass(frozen=True)
class WebPicture:
    """A hit that was not fetched yet: the picture's `url`, the `page` it is shown on, and its licence by its short name
    (`CC BY-SA 4.0`), `unknown` where the engine does not tell it."""

    url: str
    page: str
    licence: str = UNKNOWN
    creator: str = ""
    engine: str = ""


class WebSearch(Protocol):
    """An engine."""

    name: str

    def search(self, words: str, n: int) -> list[WebPicture]:
        """Up to `n` hits, best first.

        Raises:
            Unfetchable: the engine does not answer, or what it answers cannot be read.
        """
        ...


def open_engine(name: str, limits: Limits, *, base_url: str | None = None) -> WebSearch:
    """`openverse`, `commons` or `serper`; `base_url` in place of its own address.

    Raises:
        ConfigError: there is no such engine, or its key is not in the environment.
    """
    if name not in _ENGINES:
        raise ConfigError(f"there is no search engine {name!r}", hint=f"there are {', '.join(_ENGINES)}")
    return _ENGINES[name](limits, base_url)


def fetched(hit: WebPicture, limits: Limits) -> ImageRecord:
    """The picture, of split `train`.

    Raises:
        Unfetchable: it cannot be had within the limits.
    """
    picture = fetch_picture(hit.url, limits)
    return ImageRecord(
        id=ImageRecord.hash(picture.data),
        source=f"{hit.engine}:{hit.page or hit.url}",
        licence=f"{hit.licence} ({hit.creator})" if hit.creator else hit.licence,
        split="train",
        data=picture.data,
        attributes=picture.attributes,
    )


class Openverse:
    """https://openverse.org: openly licensed pictures only. Anonymous, with a daily limit of its own."""

    name = "openverse"

    def __init__(self, limits: Limits, base_url: str | None = None) -> None:
        self._limits = limits
        self._url = URL(base_url or OPENVERSE)

    def search(self, words: str, n: int) -> list[WebPicture]:
        """See `WebSearch`."""
        found = _json(str(self._url.with_query(q=words, page_size=str(n))), self._limits)
        return [
            WebPicture(
                url=str(row["url"]),
                page=str(row.get("foreign_landing_url") or ""),
                licence=_creative_commons(
                    str(row.get("license") or ""), str(row.get("license_version") or "")
                ),
                creator=str(row.get("creator") or ""),
                engine=self.name,
            )
            for row in _rows(found.get("results"))
            if row.get("url")
        ][:n]


class Commons:
    """Wikimedia Commons; pictures come at 1280 pixels of width, which every file has."""

    name = "commons"

    def __init__(self, limits: Limits, base_url: str | None = None) -> None:
        self._limits = limits
        self._url = URL(base_url or COMMONS)

    def search(self, words: str, n: int) -> list[WebPicture]:
        """See `WebSearch`."""
        query = {
            "action": "query",
            "format": "json",
            "formatversion": "2",
            "generator": "search",
            "gsrsearch": f"filetype:bitmap {words}",
            "gsrnamespace": "6",
            "gsrlimit": str(n),
            "prop": "imageinfo",
            "iiprop": "url|extmetadata",
            "iiurlwidth": "1280",
            "iiextmetadatafilter": "LicenseShortName|Artist",
        }
        found = _json(str(self._url.with_query(query)), self._limits)
        query_part = found.get("query")
        pages = _rows(query_part.get("pages") if isinstance(query_part, Mapping) else None)
        hits = [self._hit(page) for page in sorted(pages, key=lambda page: int(page.get("index") or 0))]
        return [hit for hit in hits if hit is not None][:n]

    def _hit(self, page: Mapping[str, Any]) -> WebPicture | None:
        [info, *_] = _rows(page.get("imageinfo")) or [{}]
        url = info.get("thumburl") or info.get("url")
        if not url:
            return None
        about = info.get("extmetadata")
        told = {
            key: _TAGS.sub("", str(value.get("value") or "")).strip()
            for key, value in (about.items() if isinstance(about, Mapping) else ())
            if isinstance(value, Mapping)
        }
        return WebPicture(
            url=str(url),
            page=str(info.get("descriptionurl") or ""),
            licence=told.get("LicenseShortName") or UNKNOWN,
            creator=told.get("Artist", "")[:120],
            engine=self.name,
        )


class Serper:
    """Google's image search by serper.dev. It tells no licence, so that its pictures are taken only where any is."""

    name = "serper"

    def __init__(self, limits: Limits, base_url: str | None = None) -> None:
        self._limits = limits
        self._url = base_url or SERPER
        self._key = os.environ.get(SERPER_KEY, "").strip()
        if not self._key:
            raise ConfigError(
                f"serper needs a key, and the environment variable {SERPER_KEY} is not set",
                hint=f"export {SERPER_KEY}=…, or search openverse or commons, which need none",
            )

    def search(self, words: str, n: int) -> list[WebPicture]:
        """See `WebSearch`."""
        headers = {"X-API-KEY": self._key}
        found = _json(self._url, self._limits, headers=headers, document={"q": words, "num": n})
        return [
            WebPicture(
                url=str(row["imageUrl"]),
                page=str(row.get("link") or ""),
                engine=self.name,
            )
            for row in _rows(found.get("images"))
            if row.get("imageUrl")
        ][:n]


_ENGINES: Mapping[str, Callable[[Limits, str | None], WebSearch]] = {
    "openverse": Openverse,
    "commons": Commons,
    "serper": Serper,
}


def _json(url: str, limits: Limits, **asked: Any) -> Mapping[str, Any]:
    data = fetch(url, limits, types=("application/json",), **asked)
    try:
        found = json.loads(data)
    except ValueError as error:
        raise Unfetchable("unreadable", f"{URL(url).host} answers no JSON") from error
    if not isinstance(found, Mapping):
        raise Unfetchable("unreadable", f"{URL(url).host} answers no JSON object")
    return found


def _rows(found: object) -> list[Mapping[str, Any]]:
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []


def _creative_commons(name: str, version: str) -> str:
    """Openverse's `by-sa` as everybody writes it: `CC BY-SA 2.0`."""
    if not name:
        return UNKNOWN
    short = {"cc0": "CC0", "pdm": "PDM"}.get(name.lower(), f"CC {name.upper()}")
    return f"{short} {version}".strip()
