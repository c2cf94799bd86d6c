"""Language-model agents end to end, against a real OpenAI-compatible server on loopback that has its bad moments."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from scotoma.core import ConfigError, ModelError
from scotoma.generate.commission import CommissionSettings, Delivery, accept, deliver
from scotoma.generate.settings import (
    CheckSettings,
    GenerateSettings,
    SearchSettings,
    refuse_the_trained,
    same_model,
)
from scotoma.report.export.export import export
from scotoma.store import Run
from tests import commands, photographs
from tests.generate.agents import Fault, Script, photo_run, said, seen, spec
from tests.models.servers import Act, Call, HostileServer


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos") / "discs"
    photographs.write(folder, 60)
    return folder


@pytest.fixture(scope="module")
def origin(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photo_run(tmp_path_factory.mktemp("origin"), photos)


def settings(
    origin: Path, photos: Path, server: HostileServer, out: Path, **told: object
) -> CommissionSettings:
    return CommissionSettings(
        run=origin,
        candidate="hf:some/model",
        images=f"folder:{photos}",
        samples=8,
        out=out,
        generate=GenerateSettings(
            agents="llm",
            planner=spec("planner", server),
            writer=spec("writer", server),
            validator=spec("validator", server),
            at_once=2,
            search=SearchSettings(words="words"),
        ).model_copy(update=told),
    )


def made(
    origin: Path, photos: Path, out: Path, fault: Fault = lambda call, role, number: None, **told: object
) -> tuple[Delivery, HostileServer]:
    with HostileServer(Script(fault)) as server:
        return delivered(settings(origin, photos, server, out, **told)), server


def delivered(wanted: CommissionSettings) -> Delivery:
    with (
        Run.read(wanted.run) as origin,
        Run.open(wanted.out, command="generate", config=wanted.model_dump(mode="json")) as run,
    ):
        [delivery] = deliver(run, origin, accept(origin, wanted), lambda phase, done, total: None)
        return delivery


def test_samples_of_photos_are_planned_found_written_and_validated(
    origin: Path, photos: Path, tmp_path: Path
) -> None:
    delivery, server = made(origin, photos, tmp_path / "out")
    assert (delivery.kept, delivery.shortfall, delivery.ended) == (8, 0, "filled")
    with Run.read(tmp_path / "out") as run, Run.read(origin) as before:
        samples = run.ledger.samples()
        held_out = {entry.id for entry in before.ledger.images()}
        assert not held_out & {sample.image_id for sample in samples}
        for sample in samples:
            image = run.images.get(sample.image_id)
            assert image.split == "train"
            assert sample.answer == str(photographs._seen(image)["discs"])
            assert sample.mode_id == "m1"
            assert sample.tags["skill"] == ("counting",)
            assert sample.provenance["made_by"] == "agents:llm"
            assert sample.provenance["licence"] == image.licence
        assert {sample.provenance["phrasing"] for sample in samples} == {"first", "paraphrase"}
    assert {call.body["model"] for call in server.calls} == {"planner", "writer", "validator"}


def test_the_validator_is_never_told_what_the_writer_holds_true(
    origin: Path, photos: Path, tmp_path: Path
) -> None:
    _, server = made(origin, photos, tmp_path / "out")
    asked = [call for call in server.calls if call.body["model"] == "validator"]
    assert asked
    for call in asked:
        written = json.dumps(call.body["messages"])
        assert "number" not in call.text
        assert f'"answer": "{seen(call)["discs"]}"' not in written


def test_what_the_validator_answers_otherwise_is_rejected_and_counted(
    origin: Path, photos: Path, tmp_path: Path
) -> None:
    def fault(call: Call, role: str, number: int) -> Act | None:
        if role != "validator" or number % 4:
            return None
        return said(json.dumps({"answer": "77" if number % 8 else None, "reason": "ambiguous"}))

    delivery, _ = made(origin, photos, tmp_path / "out", fault)
    assert delivery.kept == 8
    assert delivery.tally.rejected["validator: ambiguous"] >= 1
    assert delivery.tally.rejected["validator: another answer"] >= 1
    assert delivery.tally.infrastructure == {}
    with Run.read(tmp_path / "out") as run:
        attempts = [a for stage in run.ledger.stages() for a in (run.ledger.done(stage) or {})["attempts"]]
    rejected = [attempt for attempt in attempts if attempt["reason"] == "another answer"]
    assert rejected
    assert all(attempt["ruling"] == "77" and attempt["question"] for attempt in rejected)


def test_a_busy_server_and_replies_that_do_not_parse_cost_nothing_but_another_request(
    origin: Path, photos: Path, tmp_path: Path
) -> None:
    def fault(call: Call, role: str, number: int) -> Act | None:
        if role == "planner" and number == 0:
            return Act(status=429, headers={"retry-after": "0"}, body={"error": {"message": "slow down"}})
        if role == "writer" and number == 0:
            return said("I would rather talk about something else.")
        return None

    delivery, server = made(origin, photos, tmp_path / "out", fault)
    assert delivery.kept == 8
    assert delivery.tally.infrastructure == {}
    assert [call.body["model"] for call in server.calls][:2] == ["planner", "planner"]


def test_a_model_that_never_writes_json_is_an_infrastructure_error_and_no_rejection(
    origin: Path, photos: Path, tmp_path: Path
) -> None:
    def fault(call: Call, role: str, number: int) -> Act | None:
        return said("{'sketches': none}") if role == "writer" else None

    delivery, _ = made(origin, photos, tmp_path / "out", fault, retries=1)
    assert delivery.kept == 0
    assert delivery.ended == "nothing came of it"
    assert set(delivery.tally.infrastructure) == {"writer: unparsable"}
    assert delivery.tally.rejected == {}


def test_a_refusal_of_one_request_is_counted_apart_and_the_rest_goes_on(
    origin: Path, photos: Path, tmp_path: Path
) -> None:
    def fault(call: Call, role: str, number: int) -> Act | None:
        if role == "writer" and number == 1:
            return Act(status=400, body={"error": {"message": "this picture violates our policy"}})
        if role == "writer" and number == 2:
            return said(json.dumps({"questions": [], "reason": "there is nothing to count"}))
        return None

    delivery, _ = made(origin, photos, tmp_path / "out", fault)
    assert delivery.kept == 8
    assert delivery.tally.infrastructure == {"writer: refused": 1}
    assert delivery.tally.rejected == {"writer: nothing to ask": 1}


def test_a_reply_that_the_client_stumbles_over_is_an_infrastructure_error_and_the_rest_goes_on(
    origin: Path, photos: Path, tmp_path: Path
) -> None:
    def fault(call: Call, role: str, number: int) -> Act | None:
        return (
            replace(said(""), body={**said("").body, "choices": []})
            if (role, number) == ("writer", 1)
            else None
        )

    delivery, _ = made(origin, photos, tmp_path / "out", fault)
    assert delivery.kept == 8
    assert delivery.tally.infrastructure == {"writer: unparsable": 1}
    assert delivery.tally.rejected == {}


def test_what_a_model_answers_without_the_picture_is_thrown_out(
    origin: Path, photos: Path, tmp_path: Path
) -> None:
    def fault(call: Call, role: str, number: int) -> Act | None:
        return said("1") if role == "blind" else None

    with HostileServer(Script(fault)) as server:
        told = CheckSettings(blind=spec("blind", server))
        # One sketch at a time, so that the same pictures are found however fast anything is.
        delivery = delivered(settings(origin, photos, server, tmp_path / "out", checks=told, at_once=1))
    assert delivery.tally.rejected["checks: blind"] >= 1
    with Run.read(tmp_path / "out") as run:
        kept = run.ledger.samples()
    assert kept
    assert all(sample.answer != "1" and "blind" in sample.checks for sample in kept)


def test_a_sample_whose_check_could_not_be_asked_is_neither_kept_nor_rejected(
    origin: Path, photos: Path, tmp_path: Path
) -> None:
    def fault(call: Call, role: str, number: int) -> Act | None:
        return Act(status=400, body={"error": {"message": "not this one"}}) if role == "blind" else None

    with HostileServer(Script(fault)) as server:
        told = CheckSettings(blind=spec("blind", server))
        delivery = delivered(settings(origin, photos, server, tmp_path / "out", checks=told))
    assert delivery.kept == 0
    assert set(delivery.tally.infrastructure) == {"checks: refused"}
    assert delivery.tally.rejected == {}


def test_only_samples_that_the_candidate_answers_now_and_then_are_kept(
    origin: Path, photos: Path, tmp_path: Path
) -> None:
    def fault(call: Call, role: str, number: int) -> Act | None:
        return said("2" if number % 2 else "9") if role == "candidate" else None

    with HostileServer(Script(fault)) as server:
        told = CheckSettings(band=(0.3, 0.8), pass_samples=4)
        wanted = settings(origin, photos, server, tmp_path / "out", checks=told, at_once=1)
        delivery = delivered(wanted.model_copy(update={"candidate": spec("candidate", server)}))
    assert delivery.tally.rejected["checks: too_hard"] >= 1
    with Run.read(tmp_path / "out") as run:
        assert {sample.answer for sample in run.ledger.samples()} == {"2"}


def test_a_band_is_written_from_low_to_high() -> None:
    with pytest.raises(ValidationError, match="lower pass rate first"):
        CheckSettings(band=(0.8, 0.3))


def test_a_server_that_refuses_the_key_stops_everything(origin: Path, photos: Path, tmp_path: Path) -> None:
    def fault(call: Call, role: str, number: int) -> Act | None:
        return Act(status=401, body={"error": {"message": "no such key"}}) if role == "writer" else None

    with pytest.raises(ModelError, match="refuses the key"):
        made(origin, photos, tmp_path / "out", fault)


def test_a_redirect_is_not_followed_and_stops_everything(origin: Path, photos: Path, tmp_path: Path) -> None:
    with HostileServer() as other:
        moved = Act(status=307, headers={"location": f"{other.url}/chat/completions"}, body="")

        def fault(call: Call, role: str, number: int) -> Act | None:
            return moved if role == "writer" else None

        with pytest.raises(ModelError, match=r"redirects \(307\), where no request follows .*after the @"):
            made(origin, photos, tmp_path / "out", fault)
        assert other.connections == 0


def test_a_stopped_commission_goes_on_where_it_was(origin: Path, photos: Path, tmp_path: Path) -> None:
    def fault(call: Call, role: str, number: int) -> Act | None:
        if role == "planner" and number == 0:
            # One sketch only, so that there is a second batch to be stopped in.
            return said(json.dumps({"sketches": [{"shows": "discs", "asks": "how many discs there are"}]}))
        if role == "planner" and number == 1:
            return Act(status=401, body={"error": {"message": "the key has run out"}})
        return None

    with HostileServer(Script(fault)) as server:
        wanted = settings(origin, photos, server, tmp_path / "out")
        with pytest.raises(ModelError):
            delivered(wanted)
        with Run.read(tmp_path / "out") as run:
            before = [sample.id for sample in run.ledger.samples()]
        assert len(before) == 2
        assert delivered(wanted).kept == 8
    with Run.read(tmp_path / "out") as run:
        after = [sample.id for sample in run.ledger.samples()]
    assert after[:2] == before
    assert len(set(after)) == 8


def test_the_model_under_training_may_be_no_agent(origin: Path, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"generate.validator.*nobody teaches himself"):
        refuse_the_trained(
            GenerateSettings(agents="llm", validator="openai:m@http://host:1/v1/?timeout=5"),
            "openai:m@http://host:1/v1",
        )
    assert same_model(f"hf:{photos}", f"hf:{photos}/../{photos.name}")
    assert not same_model("openai:m@http://host:1/v1", "openai:n@http://host:1/v1")


def test_the_command_writes_samples_that_every_export_takes(
    origin: Path, photos: Path, tmp_path: Path
) -> None:
    # No sentence embeddings: loading them takes longer than everything else here.
    (tmp_path / "agents.yaml").write_text("generate: {agents: llm, at_once: 2, search: {words: words}}")
    with HostileServer(Script()) as server:
        ended = commands.run(
            *(
                "generate",
                str(origin),
                "--out",
                "samples",
                "--samples",
                "4",
                "--config",
                "agents.yaml",
                "--json",
            ),
            *("--planner", spec("planner", server), "--writer", spec("writer", server)),
            *("--validator", spec("validator", server), "--images", str(photos), "--mode", "m1"),
            cwd=tmp_path,
        )
    assert ended.returncode == 0, ended.stderr
    [told] = json.loads(ended.stdout)
    assert (told["mode_id"], told["kept"], told["shortfall"]) == ("m1", 4, 0)
    exported = export(tmp_path / "samples", "openai", out=tmp_path / "exported")
    assert (exported.what, exported.questions) == ("samples", 4)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--mode", "m7"), "no confirmed failure mode 'm7'"),
        (("--agents", "exact"), "exact agents need a world"),
        (("--agents", "llm"), "generate.planner names no model"),
        (("--agents", "llm", "--planner", "hf:some/model"), "nobody teaches himself"),
    ],
)
def test_the_command_refuses_what_cannot_work_before_anything_is_written(
    origin: Path, arguments: tuple[str, ...], complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "agents.yaml").write_text("generate: {search: {words: words}}")
    ended = commands.run(
        "generate", str(origin), "--out", "samples", "--config", "agents.yaml", *arguments, cwd=tmp_path
    )
    assert ended.returncode == 2, ended.stderr
    assert complaint in " ".join(ended.stderr.split())
    assert not (tmp_path / "samples").exists()


def test_a_candidate_that_is_only_a_name_is_told_with_what_to_do() -> None:
    with pytest.raises(ConfigError, match="'my-model' is a name and no model spec") as refused:
        CommissionSettings(run=Path("runs/imported"), candidate="my-model", images="folder:photos")
    assert "--candidate" in str(refused.value.hint)
