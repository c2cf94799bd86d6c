"""An endpoint answers as a checkpoint in this process does; whatever its server does, nothing is lost or miscounted."""

from __future__ import annotations

import base64
import email.utils
import gc
import gzip
import io
import json
import socket
import subprocess
import sys
import threading
import time
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

from scotoma.core import (
    BudgetError,
    ImageRecord,
    ModelError,
    Reply,
    Request,
    Sampling,
    StorageError,
    Turn,
)
from scotoma.images.spec import open_images
from scotoma.models import faults, load_model
from scotoma.models.endpoint import EndpointModel
from scotoma.models.options import EndpointOptions
from scotoma.store.responses import ResponseCache
from tests.images.pictures import noise
from tests.models.conftest import picture
from tests.models.servers import Act, Call, HostileServer, Served, completion, free_port


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCOTOMA_CACHE", str(tmp_path / "cache" / "responses.sqlite"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-off by the hundredth of a second; what the server itself asks for is waited for."""
    monkeypatch.setattr(faults, "FIRST_WAIT", 0.01)


def asked(n: int) -> list[Request]:
    """n different questions about one picture."""
    return [Request((picture(0),), f"question {number}") for number in range(n)]


def opened(server: HostileServer, **options: Any) -> EndpointModel:
    return EndpointModel("hostile", server.url, EndpointOptions(**options))


def texts(replies: list[Reply]) -> list[str]:
    return [reply.text for reply in replies]


def kinds(replies: list[Reply]) -> list[str | None]:
    return [reply.error.kind if reply.error else None for reply in replies]


# A real server.


def test_a_served_pupil_answers_as_the_one_in_this_process(pupil_served: Served) -> None:
    world = open_images("worlds:shapes")
    questions = [
        Request((record,), text)
        for number, record in enumerate(islice(world.images("test", seed=0), 12))
        for text in world.questions(record.facts, number, 2)  # type: ignore[attr-defined]  # a World
    ]
    model = load_model(pupil_served.spec)
    replies, here = model.answer(questions), load_model("pupil").answer(questions)
    assert len(replies) == 24
    assert kinds(replies) == [None] * 24
    assert texts(replies) == texts(here)
    assert [(r.tokens_in, r.tokens_out) for r in replies] == [(r.tokens_in, r.tokens_out) for r in here]
    assert all(reply.latency > 0 for reply in replies)


def test_a_real_server_that_has_another_model_is_one_error(pupil_served: Served) -> None:
    with pytest.raises(ModelError, match="knows no such model"):
        EndpointModel("another", pupil_served.url).answer(asked(5))


# What is sent.


def test_a_request_becomes_messages_with_the_pictures_in_the_first_user_turn() -> None:
    history = (Turn("system", "be short"), Turn("user", "what is it ?"), Turn("assistant", "a star"))
    request = Request((picture(0), picture(1)), "which colour ?", history, Sampling(0.5, 0.9, 7, 3))
    with HostileServer() as server:
        opened(server).answer([request])
        body = server.calls[0].body
    system, first, reply, last = body["messages"]
    assert (system["role"], reply, last["content"]) == (
        "system",
        {"role": "assistant", "content": "a star"},
        "which colour ?",
    )
    urls = [part["image_url"]["url"] for part in first["content"][:2]]
    assert all(url.startswith("data:image/png;base64,") for url in urls)
    assert len(set(urls)) == 2
    assert first["content"][2] == {"type": "text", "text": "what is it ?"}
    assert {name: body[name] for name in ("temperature", "top_p", "max_tokens", "seed")} == {
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 7,
        "seed": 3,
    }


def test_a_field_that_the_server_refuses_is_left_out_and_the_length_renamed() -> None:
    def new_openai(call: Call) -> Act:
        for name in ("max_tokens", "temperature"):
            if name in call.body:
                said = f"Unsupported parameter: '{name}' is not supported with this model."
                return Act(status=400, body={"error": {"message": said, "code": "unsupported_parameter"}})
        return Act(str(call.body["max_completion_tokens"]))

    with HostileServer(new_openai) as server:
        model = opened(server, thinking_tokens=100)
        assert texts(model.answer(asked(20))) == ["132"] * 20
        assert model.left_out == {"temperature"}
        assert len(model.answer([Request((), "one more")])) == 1
        assert len([call for call in server.calls if call.text == "one more"]) == 1


@pytest.mark.parametrize(
    ("refused", "body"),
    [
        (
            "seed",
            [
                {
                    "error": {
                        "message": 'Invalid JSON payload received. Unknown name "seed": Cannot find field.'
                    }
                }
            ],
        ),
        (
            "top_p",
            {"error": {"message": "`temperature` and `top_p` cannot both be specified for this model."}},
        ),
        ("temperature", {"error": {"message": "`temperature` is deprecated for this model."}}),
        ("seed", {"detail": "This model does not support the parameter seed."}),
        ("seed", {"detail": "seed: other inputs than temperature are not permitted"}),
    ],
    ids=["Gemini", "Claude", "Claude without temperature", "a plain one", "a strict one"],
)
def test_a_refusal_is_understood_in_the_words_of_many_servers(refused: str, body: Any) -> None:
    def picky(call: Call) -> Act:
        return Act(status=400, body=body) if refused in call.body else Act(call.text)

    drawn = [Request((), f"question {number}", sampling=Sampling(temperature=0.5)) for number in range(5)]
    with HostileServer(picky) as server:
        model = opened(server)
        assert kinds(model.answer(drawn)) == [None] * 5
        assert model.left_out == {refused}


def test_top_p_is_sent_only_where_it_says_something() -> None:
    with HostileServer() as server:
        for temperature in (0.0, 0.5):
            opened(server).answer([Request((), "q", sampling=Sampling(temperature))])
        assert [call.body.get("top_p") for call in server.calls] == [None, 1.0]


@pytest.mark.parametrize("way", ["json_schema", "json_object"])
def test_a_server_that_is_told_to_enforces_the_form_of_a_reply(way: str) -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    formed, free = Request((), "rule on it", reply_schema=json.dumps(schema)), Request((), "which colour ?")
    with HostileServer() as server:
        opened(server, structured=way).answer([formed, free])
        bodies = {call.text: call.body for call in server.calls}
        told = bodies["rule on it"]["response_format"]
        assert (told["type"], told.get("json_schema", told)["schema"]) == (way, schema)
        assert "response_format" not in bodies["which colour ?"]
        # A reply in any form is not the cached reply to who wants that one, nor the other way round.
        opened(server).answer([formed, free])
        assert "response_format" not in server.calls[2].body
        assert len(server.calls) == 3


def test_the_key_is_sent_and_appears_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    with HostileServer(
        lambda call: Act(status=401, body={"error": {"message": "bad key sk-very-secret"}})
    ) as server:
        model = opened(server, key_env="MY_KEY")
        with pytest.raises(ModelError) as failed:
            model.answer(asked(1))
        assert server.calls[0].headers["authorization"] == "Bearer sk-very-secret"
    assert "refuses access (401)" in str(failed.value)
    assert "secret" not in f"{failed.value}{model.name}{vars(model)}"


def test_who_pays_is_told_to_the_server_as_openais_own_clients_tell_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.delenv("OPENAI_PROJECT_ID", raising=False)
    with HostileServer() as server:
        opened(server).answer(asked(1))
        assert server.calls[0].headers["openai-organization"] == "org-1"
        assert "openai-project" not in server.calls[0].headers


def test_a_hosted_server_needs_a_key_and_one_on_this_machine_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(
        ModelError, match="needs a key, and the environment variable OPENAI_API_KEY is not set"
    ):
        load_model("openai:gpt-5-mini")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1/")
    assert load_model("openai:m").name == "openai:m@http://localhost:1/v1"


# A server that misbehaves.


def test_patience_with_a_server_is_told_once_and_not_at_every_attempt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def loading(call: Call) -> Act:
        return Act(call.text) if call.attempt else Act(status=503, body={"detail": "the model is loading"})

    with HostileServer(loading) as server, caplog.at_level("WARNING", logger="scotoma"):
        opened(server).answer(asked(8))
        [said] = [record.getMessage() for record in caplog.records]
    assert "the model is loading" in said
    assert said.endswith("it is asked again")


def test_what_passes_is_asked_again_and_nothing_is_lost_or_out_of_order() -> None:
    first_acts = [
        Act(status=429, body={"error": {"message": "slow down"}}),
        Act(status=500, body="<html>oops</html>"),
        Act(status=503, body={"detail": "loading"}),
        Act(body='{"choices": [{"message": {"content": "ye'),
        Act(body={"choices": []}),
        Act(body={"choices": completion()["choices"] * 2}),
        Act(body=[1, 2]),
        Act(body={"choices": [None]}),
        Act(body={"error": {"message": "upstream", "code": 502}}),
        Act(closes=True),
        Act(body="{", headers={"content-length": "400"}, closes=False),
        Act(breaks=True),
        Act(headers={"content-encoding": "gzip"}),
        Act(body=b"\xff\xfe"),
    ]

    def stumbling(call: Call) -> Act:
        number = int(call.text.split()[-1])
        return first_acts[number % len(first_acts)] if call.attempt == 0 else Act(call.text)

    with HostileServer(stumbling) as server:
        replies = opened(server, timeout=1).answer(asked(42))
    assert texts(replies) == [f"question {number}" for number in range(42)]
    assert kinds(replies) == [None] * 42


@pytest.mark.parametrize(
    ("act", "kind", "attempts"),
    [
        (Act(status=429, body={"error": {"message": "slow down"}}), "rate_limit", 3),
        (Act(status=500, body={"error": {"message": "CUDA"}}), "crashed", 3),
        (Act(closes=True), "crashed", 3),
        (Act(breaks=True), "crashed", 3),
        (Act(delay=5), "timeout", 1),
        (Act(drip=0.1), "timeout", 1),
        (Act(body='{"choices": ['), "unparsable", 3),
        (Act(body={"choices": completion()["choices"] * 3}), "unparsable", 3),
        (Act(body={"usage": {}}), "unparsable", 3),
        (Act(body=completion(None, tool_calls=[{}])), "unparsable", 1),
        (Act(body=completion(None, refusal="I will not")), "refused", 1),
        (Act(body=completion("", finish="content_filter")), "refused", 1),
        (Act(body=completion("the st", finish="content_filter: PROHIBITED_CONTENT")), "refused", 1),
        (Act(body=completion(None, finish="SAFETY")), "refused", 1),
        (Act(body=completion(None, reasoning_content="well, …")), "unparsable", 3),
        (Act(body=completion("\n\n", reasoning="well, …")), "unparsable", 3),
        (Act(status=400, body={"error": {"message": "inappropriate"}}), "refused", 1),
        (Act(status=400, body={"error": {"message": "maximum context length is 8"}}), "too_long", 1),
        (Act(body=completion(None, finish="length", reasoning_content="well, …")), "too_long", 1),
        (Act(status=400, body={"error": {"message": "could not decode image 0"}}), "bad_image", 1),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_one_bad_item_is_one_typed_error_and_the_others_are_answered(
    act: Act, kind: str, attempts: int
) -> None:
    def times(text: str) -> int:
        return sum(call.text == text for call in server.calls)

    with HostileServer(lambda call: act if call.text == "question 2" else Act(call.text)) as server:
        patience = {"retries": 0, "timeout": 1} if kind == "timeout" else {"retries": 2, "timeout": 60}
        model = opened(server, **patience)
        replies = model.answer(asked(5))
        assert kinds(replies) == [None, None, kind, None, None]
        assert texts(replies) == ["question 0", "question 1", "", "question 3", "question 4"]
        assert times("question 2") == attempts
        # Only good replies are kept: the bad one is asked again, the others are not.
        model.answer(asked(5))
        assert (times("question 2"), times("question 3")) == (2 * attempts, 1)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": "no such seed", "type": "invalid"}}, "no such seed"),
        ({"error": {"message": "no such seed", "code": "bad_seed"}}, "bad_seed: no such seed"),
        ({"error": {"message": "", "type": "invalid"}}, "{'message': '', 'type': 'invalid'}"),
        ({"error": "no such seed"}, "no such seed"),
        ({"error": None, "message": "no such seed", "code": 400}, "no such seed"),
        ({"object": "error", "message": "no such seed", "code": "bad_seed"}, "bad_seed: no such seed"),
        ({"detail": [{"loc": ["body", "seed"], "msg": "odd"}]}, "'msg': 'odd'"),
        (["no", "seed"], "['no', 'seed']"),
        ("no such seed\n", "no such seed"),
        (b"no such seed \xff", "no such seed \N{REPLACEMENT CHARACTER}"),
        ("", "Whatever"),
        ("null", "Whatever"),
        ("[" * 100_000, "[[["),
    ],
    ids=lambda value: None if isinstance(value, str) else json.dumps(value, default=repr),
)
def test_a_refusal_is_told_in_the_servers_own_words(body: Any, words: str) -> None:
    with HostileServer(lambda call: Act(status=418, body=body)) as server:
        [reply] = opened(server).answer(asked(1))
    assert reply.error is not None
    assert reply.error.kind == "refused"
    assert reply.error.message.startswith("418: ")
    assert words in reply.error.message


@pytest.mark.parametrize(
    "act",
    [
        Act(
            body=gzip.compress(json.dumps(completion("grün")).encode()), headers={"content-encoding": "gzip"}
        ),
        Act(
            body=json.dumps(completion("grün"), ensure_ascii=False).encode("latin-1"),
            headers={"content-type": "application/json; charset=latin-1"},
        ),
        Act(
            body=json.dumps(completion("grün"), ensure_ascii=False),
            headers={"content-type": "text/html; charset=made-up"},
        ),
    ],
    ids=["compressed", "latin-1", "unknown charset"],
)
def test_a_reply_is_read_however_it_is_packed(act: Act) -> None:
    with HostileServer(lambda call: act) as server:
        assert texts(opened(server).answer(asked(1))) == ["grün"]


def test_one_broken_byte_costs_no_answer() -> None:
    body = json.dumps(completion("a red star")).encode().replace(b"red", b"r\xffd")
    with HostileServer(lambda call: Act(body=body)) as server:
        assert texts(opened(server).answer(asked(1))) == ["a r\N{REPLACEMENT CHARACTER}d star"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_one_error_that_says_where_to_and_the_key_does_not_follow(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    with HostileServer() as other:
        where = f"{other.url}/chat/completions"
        act = Act(status=status, headers={"location": f"{where}?key=sk-very-secret"}, body="")
        with HostileServer(lambda call: act) as server:
            with pytest.raises(
                ModelError, match=rf"redirects to {where} \({status}\).*after the @"
            ) as failed:
                opened(server, key_env="MY_KEY").answer(asked(100))
            assert len(server.calls) < 50
        assert other.connections == 0
    assert "secret" not in str(failed.value)


def test_a_silent_model_is_no_error_and_thoughts_are_no_answer() -> None:
    acts = {
        "question 0": Act(body=completion("")),
        "question 1": Act(body=completion(" red\n", reasoning_content="it is blue")),
        "question 2": Act(body=completion([{"type": "text", "text": "gre"}, {"type": "text", "text": "en"}])),  # type: ignore[arg-type]  # a list of parts
    }
    with HostileServer(lambda call: acts[call.text]) as server:
        replies = opened(server).answer(asked(3))
    assert kinds(replies) == [None] * 3
    assert texts(replies) == ["", "red", "green"]


@pytest.mark.parametrize("usage", [None, 3, {}, {"prompt_tokens": "many", "completion_tokens": -1}])
def test_nonsense_for_token_counts_costs_no_answer(usage: Any) -> None:
    with HostileServer(lambda call: Act(body=completion() | {"usage": usage})) as server:
        [reply] = opened(server).answer(asked(1))
    assert (reply.text, reply.tokens_in, reply.tokens_out, reply.error) == ("yes", 0, 0, None)


@pytest.mark.parametrize("status", [401, 403, 404, 402])
def test_what_would_fail_for_all_is_raised_once(status: int) -> None:
    with HostileServer(lambda call: Act(status=status, body={"error": {"message": "no"}})) as server:
        with pytest.raises(ModelError, match=str(status)):
            opened(server).answer(asked(200))
        assert len(server.calls) < 50


def test_a_server_that_is_not_there_is_one_error() -> None:
    model = EndpointModel("m", f"http://127.0.0.1:{free_port()}/v1")
    with pytest.raises(ModelError, match=r"nobody answers at http://127\.0\.0\.1.*start the server"):
        model.answer(asked(200))


def test_a_name_that_no_one_knows_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*address: Any, **options: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    model = EndpointModel("m", "http://model.example/v1", EndpointOptions(key_env="none"))
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ModelError, match=r"nobody answers at http://model\.example.*not known"):
        model.answer(asked(200))


def test_an_address_that_is_none_is_one_error() -> None:
    with pytest.raises(ModelError, match=r"nobody answers at http://localhost:99999.*check the address"):
        EndpointModel("m", "http://localhost:99999/v1").answer(asked(200))


def test_a_server_that_never_says_a_word_is_one_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base_url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        model = EndpointModel("m", base_url, EndpointOptions(timeout=0.3, retries=0))
        with pytest.raises(ModelError, match=r"nobody answers.*no answer within 0\.3 s"):
            model.answer(asked(3))


def test_a_server_that_goes_away_stops_the_batch_and_keeps_what_it_said() -> None:
    with HostileServer() as server:
        model = opened(server, retries=2)
        model.answer(asked(3))
    with pytest.raises(ModelError, match="nobody answers"):
        model.answer(asked(6))
    assert texts(model.answer(asked(3))) == ["question 0", "question 1", "question 2"]


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_waited_for_by_all(form: str) -> None:
    def busy_at_first(call: Call) -> Act:
        if call.attempt or call.text != "question 0":
            return Act(call.text, delay=0.05)
        after = "1" if form == "seconds" else email.utils.formatdate(time.time() + 2, usegmt=True)
        return Act(status=429, headers={"retry-after": after}, body={"error": {"message": "wait"}})

    with HostileServer(busy_at_first) as server:
        replies = opened(server, concurrency=2).answer(asked(8))
        told = next(call.at for call in server.calls if call.text == "question 0")
        gap = max(
            later.at - earlier.at for earlier, later in zip(server.calls, server.calls[1:], strict=False)
        )
        again = next(call.at for call in server.calls if call.text == "question 0" and call.attempt)
    assert kinds(replies) == [None] * 8
    assert again - told >= 0.9
    assert gap >= 0.7, "the others go on while the server asked for peace"


def test_nobody_sits_and_waits_for_an_hour() -> None:
    with (
        HostileServer(lambda call: Act(status=429, headers={"retry-after": "3600"}, body={})) as server,
        pytest.raises(ModelError, match="takes no more requests for 3,600 s"),
    ):
        opened(server).answer(asked(4))


def test_concurrency_halves_when_it_is_too_much_and_recovers() -> None:
    crowd = 6

    def crowded(call: Call) -> Act:
        if call.under_way > crowd:
            return Act(status=429, body={"error": {"message": "too many"}})
        return Act(call.text, delay=0.01)

    with HostileServer(crowded) as server:
        model = opened(server, concurrency=32, retries=20)
        replies = model.answer(asked(200))
        assert kinds(replies) == [None] * 200
        after_crowd = model.concurrency
        refused = len(server.calls) - 200
        crowd = 64
        more = [Request((), f"more {number}") for number in range(600)]
        assert kinds(model.answer(more)) == [None] * 600
    assert after_crowd <= 16
    assert refused < 100, "a burst of refusals is one sign of overload, not many"
    assert model.concurrency > after_crowd


def test_at_most_so_many_at_once() -> None:
    with HostileServer(lambda call: Act(call.text, delay=0.01)) as server:
        opened(server, concurrency=3).answer(asked(30))
        assert max(call.under_way for call in server.calls) == 3


# Money.


def test_the_budget_stops_before_it_is_overrun_and_what_was_paid_for_is_kept() -> None:
    with HostileServer(lambda call: Act(call.text, delay=0.01)) as server:
        # 12 tokens a reply; 32 go out before the first has come back, which fits.
        model = opened(server, max_tokens_total=600)
        with pytest.raises(
            BudgetError,
            match=r"holds no further request: \d+ tokens in \d+ requests .*what was answered is in the cache",
        ):
            model.answer([Request((), f"q {n}", sampling=Sampling(max_tokens=2)) for n in range(200)])
        spent = model.spending
        assert 500 < spent.tokens_in + spent.tokens_out <= 600
        paid = len(server.calls)
        assert paid == spent.requests
        free = opened(server)
        free.answer([Request((), f"q {n}", sampling=Sampling(max_tokens=2)) for n in range(200)])
        assert free.spending.requests == 200 - paid
        assert len(server.calls) == 200


def test_dollars_are_counted_at_the_given_prices() -> None:
    with HostileServer() as server:
        model = opened(server, max_usd=10, price_in=1000, price_out=50_000)
        model.answer(asked(4))
    assert model.spending.usd == pytest.approx(4 * (10 * 1000 + 2 * 50_000) / 1e6)
    assert "$0.44" in model.spending.describe()


# The cache.


def test_equal_requests_are_asked_once_and_other_sampling_anew() -> None:
    request = asked(1)[0]
    warmer = Request(request.images, request.text, sampling=Sampling(temperature=1.0))
    other = Request((picture(1),), request.text)
    with HostileServer() as server:
        model = opened(server)
        first, _, again, _ = model.answer([request, warmer, request, other])
        assert first == again
        assert len(server.calls) == 3
        assert model.answer([request]) == opened(server).answer([request]) == [first]
        assert len(server.calls) == 3
        opened(server, cache="off").answer([request])
        assert len(server.calls) == 4


def test_a_killed_run_asked_again_pays_nothing_twice(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from scotoma.core import Request\n"
        "from scotoma.models import load_model\n"
        "model = load_model(sys.argv[1])\n"
        "model.answer([Request((), f'question {n}') for n in range(int(sys.argv[2]))])\n"
    )
    stopped: list[subprocess.Popen[bytes]] = []

    def killing(call: Call) -> Act:
        if call.text == "question 25" and call.attempt == 0:
            stopped[0].kill()
        return Act(call.text)

    with HostileServer(killing) as server:
        spec = f"openai:m@{server.url}?concurrency=1"
        stopped.append(subprocess.Popen([sys.executable, "-c", program, spec, "40"]))
        assert stopped[0].wait(timeout=60) != 0
        before = len(server.calls)
        assert 25 <= before < 40
        assert (
            kinds(load_model(spec).answer([Request((), f"question {n}") for n in range(40)])) == [None] * 40
        )
        repeated = {call.text for call in server.calls if call.attempt > 0}
    assert repeated <= {"question 25"}, "only what was under way is asked again"
    assert len(server.calls) - before == 15


def test_a_cache_that_cannot_be_written_is_an_error_before_anything_is_spent(tmp_path: Path) -> None:
    torn = tmp_path / "torn.sqlite"
    torn.write_bytes(b"no database at all, whatever its name says " * 40)
    (tmp_path / "file").write_text("")
    for path in (torn, tmp_path / "file" / "responses.sqlite"):
        with pytest.raises(StorageError, match=r"cannot be used.*cache=off"):
            EndpointModel("m", "http://localhost:1/v1", EndpointOptions(cache=str(path)))


def test_a_cache_that_breaks_on_the_way_loses_no_reply_and_stops_the_next_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(cache: ResponseCache, key: str, model: str, reply: Reply) -> None:
        raise StorageError("the disk is full")

    with HostileServer() as server:
        model = opened(server)
        monkeypatch.setattr(ResponseCache, "put", full)
        assert texts(model.answer(asked(3))) == ["question 0", "question 1", "question 2"]
        with pytest.raises(StorageError, match="the disk is full"):
            model.answer(asked(4))
        assert len(server.calls) == 3


# Connections.


def test_connections_are_used_again_from_call_to_call() -> None:
    with HostileServer() as server:
        model = opened(server, concurrency=2)
        for number in range(5):
            model.answer([Request((), f"{number} {n}") for n in range(4)])
        assert server.connections <= 2


def test_the_proxy_of_the_environment_is_used_unless_no_proxy_names_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with HostileServer() as proxy, HostileServer() as server:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
        options = EndpointOptions(key_env="none")
        assert texts(EndpointModel("m", "http://model.example/v1", options).answer(asked(2))) == [
            "question 0",
            "question 1",
        ]
        opened(server).answer(asked(1))
        assert (len(proxy.calls), len(server.calls)) == (2, 1)
        assert proxy.calls[0].headers["host"] == "model.example"


def test_the_password_of_a_proxy_is_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "")
    with HostileServer() as proxy:
        address = proxy.url.removesuffix("/v1").replace("//", "//user:proxy-password@")
        monkeypatch.setenv("https_proxy", address)
        model = EndpointModel("m", "https://model.example/v1", EndpointOptions(key_env="none", retries=0))
        with pytest.raises(ModelError, match="nobody answers at https://model") as failed:
            model.answer(asked(1))
    assert "password" not in str(failed.value)


def test_a_proxy_that_is_none_for_http_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("all_proxy", "socks5://user:proxy-password@localhost:1080")
    with pytest.raises(ModelError, match=r"none for HTTP \(socks5\).*NO_PROXY") as failed:
        EndpointModel("m", "http://model.example/v1", EndpointOptions(key_env="none"))
    assert "password" not in str(failed.value)
    with HostileServer() as server:
        assert texts(opened(server).answer(asked(1))) == ["question 0"]


def test_a_model_out_of_use_leaves_no_thread_and_no_connection_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def threads() -> int:
        return sum(thread.name == "scotoma-endpoint" for thread in threading.enumerate())

    before = threads()
    with HostileServer() as server:
        for number in range(10):
            opened(server).answer([Request((), f"{number}")])
        opened(server).close()
        until = time.monotonic() + 10
        while threads() > before and time.monotonic() < until:
            gc.collect()
            time.sleep(0.01)
    assert threads() <= before
    assert "Unclosed" not in caplog.text


# Pictures.


def encoded(image: Image.Image, form: str, **options: Any) -> ImageRecord:
    out = io.BytesIO()
    image.save(out, form, **options)
    return ImageRecord(ImageRecord.hash(out.getvalue()), "test", data=out.getvalue())


RED, BLUE = Image.new("RGB", (8, 4), "red"), Image.new("RGB", (8, 4), "blue")


def on_its_side() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def sent(*records: ImageRecord) -> list[tuple[str, bytes]]:
    """As what each picture reaches the server, and its bytes there."""
    with HostileServer() as server:
        opened(server, concurrency=1).answer([Request((record,), str(n)) for n, record in enumerate(records)])
        urls = [call.body["messages"][0]["content"][0]["image_url"]["url"] for call in server.calls]
    return [(url.partition(";")[0], base64.b64decode(url.partition(",")[2])) for url in urls]


def test_plain_pictures_travel_as_they_are() -> None:
    records = [
        encoded(RED, "PNG"),
        encoded(RED, "JPEG"),
        encoded(RED, "WEBP"),
        encoded(RED.convert("P"), "GIF"),
        encoded(RED, "MPO", save_all=True, append_images=[BLUE]),
    ]
    assert Image.open(io.BytesIO(records[-1].read())).format == "MPO"
    forms = ("png", "jpeg", "webp", "gif", "jpeg")
    assert sent(*records) == [
        (f"data:image/{form}", record.read()) for form, record in zip(forms, records, strict=True)
    ]


def test_all_others_travel_as_png_and_those_that_were_compressed_with_loss_as_jpeg() -> None:
    without_loss = [
        encoded(RED, "BMP"),
        encoded(RED.convert("RGBA"), "PNG"),
        encoded(RED, "GIF", save_all=True, append_images=[BLUE]),
        encoded(RED, "PNG", exif=on_its_side()),
        encoded(RED, "WEBP", lossless=True, exif=on_its_side()),
    ]
    with_loss = [
        encoded(RED, "JPEG", exif=on_its_side()),
        encoded(RED, "MPO", save_all=True, append_images=[BLUE], exif=on_its_side()),
        encoded(RED, "WEBP", exif=on_its_side()),
        encoded(RED.convert("CMYK"), "JPEG"),
    ]
    assert {form for form, _ in sent(*without_loss)} == {"data:image/png"}
    assert {form for form, _ in sent(*with_loss)} == {"data:image/jpeg"}


@pytest.mark.parametrize("form", ["JPEG", "MPO", "WEBP", "PNG"])
def test_a_turned_picture_is_sent_upright_and_looks_as_it_does_in_this_process(form: str) -> None:
    photo = noise(0, (32, 24), 40).convert("RGB").resize((320, 240), Image.Resampling.BICUBIC)
    frames = {"save_all": True, "append_images": [BLUE]} if form == "MPO" else {}
    record = encoded(photo, form, exif=on_its_side(), **frames)
    [(_, data)] = sent(record)
    shown = Image.open(io.BytesIO(data))
    assert shown.size == (240, 320)
    assert shown.getexif().get(0x0112, 1) == 1
    furthest = max(
        high for _, high in ImageChops.difference(shown.convert("RGB"), record.open()).getextrema()
    )
    assert furthest <= (0 if form == "PNG" else 8)


def test_a_turned_photo_is_not_blown_up() -> None:
    photo = noise(1, (64, 48), 40).convert("RGB").resize((1600, 1200), Image.Resampling.BICUBIC)
    record = encoded(photo, "JPEG", quality=90, exif=on_its_side())
    [(_, data)] = sent(record)
    assert len(data) < 3 * len(record.read())


def test_an_unreadable_picture_is_an_error_of_its_own_question(tmp_path: Path) -> None:
    broken = ImageRecord("0" * 64, "test", data=b"no picture")
    gone = ImageRecord("1" * 64, "test", path=tmp_path / "gone.png")
    with HostileServer() as server:
        replies = opened(server).answer(
            [Request((broken,), "a"), Request((picture(0),), "b"), Request((gone,), "c")]
        )
        assert kinds(replies) == ["bad_image", None, "bad_image"]
        assert len(server.calls) == 1


def test_each_picture_is_encoded_once(tmp_path: Path) -> None:
    class Counted(ImageRecord):
        reads = 0

        def read(self) -> bytes:
            type(self).reads += 1
            return super().read()

    path = tmp_path / "a.png"
    path.write_bytes(picture(0).read())
    record = Counted(picture(0).id, "test", path=path)
    with HostileServer() as server:
        opened(server).answer([Request((record,), f"q {n}") for n in range(30)])
        assert len(server.calls) == 30
    assert Counted.reads == 1


def test_any_text_reaches_the_server_as_it_is() -> None:
    text = "naïve “quotes” 🙂 \x00 \\ \n"
    with HostileServer() as server:
        opened(server, concurrency=1).answer([Request((), text), Request((picture(0),), text)])
        assert [call.text for call in server.calls] == [text, text]
