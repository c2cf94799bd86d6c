"""The response cache gives back exactly what was put in, under a key that forgets nothing the reply depends on."""

from __future__ import annotations

import multiprocessing
import sqlite3
import subprocess
import sys
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.core import ImageRecord, Reply, ReplyError, Request, Sampling, StorageError, Turn
from scotoma.store.responses import ResponseCache, default_cache, response_key

IMAGE = ImageRecord("a" * 64, "test", data=b"a")
REQUEST = Request((IMAGE,), "how many ?", (Turn("user", "hi"), Turn("assistant", "yes")), Sampling())


def test_what_was_put_in_comes_out_also_after_closing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "responses.sqlite"
    cache = ResponseCache.open(path)
    replies = {f"key {n}": Reply(f"answer {n} ✓", n, 2 * n, n / 7) for n in range(1201)}
    for key, reply in replies.items():
        cache.put(key, "m", reply)
    cache.close()
    again = ResponseCache.open(path)
    assert again.get([*replies, "another"]) == replies
    assert again.get([]) == {}


def test_a_key_forgets_nothing_that_the_reply_depends_on() -> None:
    other = replace(IMAGE, id="b" * 64)
    requests = [
        REQUEST,
        replace(REQUEST, images=(other,)),
        replace(REQUEST, images=(IMAGE, other)),
        replace(REQUEST, images=(other, IMAGE)),
        replace(REQUEST, images=()),
        replace(REQUEST, text="how many?"),
        replace(REQUEST, history=REQUEST.history[:1]),
        replace(REQUEST, history=(Turn("system", "hi"), REQUEST.history[1])),
        replace(REQUEST, sampling=Sampling(temperature=0.5)),
        replace(REQUEST, sampling=Sampling(top_p=0.5)),
        replace(REQUEST, sampling=Sampling(max_tokens=5)),
        replace(REQUEST, sampling=Sampling(seed=1)),
    ]
    keys = [response_key("m", "http://a/v1", request) for request in requests]
    keys += [response_key("n", "http://a/v1", REQUEST), response_key("m", "http://b/v1", REQUEST)]
    keys += [response_key("m", "http://a/v1", REQUEST, {"thinking_tokens": 5})]
    assert len(set(keys)) == len(keys)


def test_a_key_does_not_depend_on_where_the_image_lies(tmp_path: Path) -> None:
    elsewhere = ImageRecord(IMAGE.id, "another folder", path=tmp_path / "a.png", split="test")
    moved = replace(REQUEST, images=(elsewhere,))
    assert response_key("m", "u", moved) == response_key("m", "u", REQUEST)


@given(st.text(), st.text())
def test_texts_do_not_run_into_each_other(first: str, second: str) -> None:
    here = replace(REQUEST, history=(Turn("user", first),), text=second)
    there = replace(REQUEST, history=(), text=first + second)
    assert response_key("m", "u", here) != response_key("m", "u", there)


def test_errors_are_not_kept(tmp_path: Path) -> None:
    cache = ResponseCache.open(tmp_path / "r.sqlite")
    with pytest.raises(ValueError, match="only good replies"):
        cache.put("key", "m", Reply(error=ReplyError("timeout", "")))
    assert cache.get(["key"]) == {}


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    program = (
        "import sys; from pathlib import Path; from scotoma.core import Reply\n"
        "from scotoma.store.responses import ResponseCache\n"
        "cache = ResponseCache.open(Path(sys.argv[1]))\n"
        "for n in range(200): cache.put(f'{sys.argv[2]} {n}', 'm', Reply(sys.argv[2]))\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(path), name]) for name in "abc"]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0]
    keys = [f"{name} {n}" for name in "abc" for n in range(200)]
    assert {key: reply.text for key, reply in ResponseCache.open(path).get(keys).items()} == {
        key: key[0] for key in keys
    }


def test_processes_that_start_together_wait_for_each_other(tmp_path: Path) -> None:
    # Without waiting, one round in thirteen failed.
    forked = multiprocessing.get_context("fork")

    def start(path: Path, barrier: Barrier) -> None:
        barrier.wait()
        ResponseCache.open(path)

    for n in range(20):
        barrier = forked.Barrier(4)
        starts = [forked.Process(target=start, args=(tmp_path / f"{n}.sqlite", barrier)) for _ in range(4)]
        for process in starts:
            process.start()
        for process in starts:
            process.join(timeout=60)
        assert [process.exitcode for process in starts] == [0] * 4


def test_a_file_that_is_no_cache_or_another_versions_is_refused_untouched(tmp_path: Path) -> None:
    torn = tmp_path / "torn.sqlite"
    torn.write_bytes(b"no database, whatever its name says " * 100)
    with pytest.raises(StorageError, match=r"torn\.sqlite cannot be used: .*go without: \?cache=off"):
        ResponseCache.open(torn)
    assert torn.read_bytes().startswith(b"no database")
    newer = tmp_path / "newer.sqlite"
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StorageError, match="of version 99, this Scotoma reads 1"):
        ResponseCache.open(newer)


def test_the_cache_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SCOTOMA_CACHE", str(tmp_path / "mine.sqlite"))
    assert default_cache() == tmp_path / "mine.sqlite"
    monkeypatch.delenv("SCOTOMA_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache() == tmp_path / ".cache" / "scotoma" / "responses.sqlite"
