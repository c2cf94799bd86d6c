"""Who judges a run is settled in its settings, and what is known of the judge goes into its rates."""

from __future__ import annotations

from pathlib import Path

import pytest

from scotoma.core import Calibration, ConfigError, Discernment, Verdict
from scotoma.diagnose.prevalence import true_rate
from scotoma.diagnose.statistics import wilson
from scotoma.discover.account import account_of_discovery, ratio_of_failures
from scotoma.discover.calibration import adopt_calibration, calibration_of, judge_name, read_calibration
from scotoma.discover.settings import DiscoverySettings, JudgeSettings
from scotoma.discover.verification import open_judges, open_verifier
from scotoma.evolve.settings import EvolveSettings
from scotoma.store.configuration import load_settings
from scotoma.store.ledger import Ledger
from scotoma.store.run import Run
from scotoma.verify.chain import VerifierChain
from scotoma.verify.consensus import ConsensusVerifier
from scotoma.verify.facts import FactsVerifier
from scotoma.verify.judge import VERSIONS, JudgeVerifier
from tests.store.records import observation

JUDGE = "tests.photographs:Judge"
OTHER = "tests.judges:Silent"


class TestOpening:
    def test_without_a_judge_facts_decide_alone(self) -> None:
        assert isinstance(open_verifier(JudgeSettings()), FactsVerifier)

    def test_a_judge_comes_after_the_facts(self) -> None:
        verifier = open_verifier(JudgeSettings(model=JUDGE))
        assert isinstance(verifier, VerifierChain)
        assert [type(link) for link in verifier.links] == [FactsVerifier, JudgeVerifier]

    def test_several_judges_or_samples_are_a_consensus(self) -> None:
        for settings in (
            JudgeSettings(model=JUDGE, judges=(OTHER,), agreement=0.8),
            JudgeSettings(model=JUDGE, samples=2, agreement=0.8),
            JudgeSettings(judges=(JUDGE, OTHER), agreement=0.8),
        ):
            verifier = open_verifier(settings)
            assert isinstance(verifier, VerifierChain)
            consensus = verifier.links[1]
            assert isinstance(consensus, ConsensusVerifier)
            assert (len(consensus.members), consensus.share) == (2, 0.8)

    def test_one_sample_is_greedy_and_several_differ(self) -> None:
        [single] = open_judges(JudgeSettings(model=JUDGE, max_tokens=99))
        assert (single.sampling.temperature, single.sampling.max_tokens) == (0.0, 99)
        several = open_judges(JudgeSettings(model=JUDGE, samples=3, temperature=0.5))
        assert [(j.sampling.temperature, j.sampling.seed) for j in several] == [(0.5, 0), (0.5, 1), (0.5, 2)]
        assert len({id(j.model) for j in several}) == 1

    def test_a_judge_named_twice_votes_once(self) -> None:
        assert len(open_judges(JudgeSettings(model=JUDGE, judges=(JUDGE,)))) == 1


class TestRefusal:
    @pytest.mark.parametrize("kind", [DiscoverySettings, EvolveSettings])
    @pytest.mark.parametrize(
        ("candidate", "judge"),
        [
            ("pupil", {"model": "pupil"}),
            ("hf:a/b?dtype=bfloat16", {"model": "openai:c@http://x/v1", "judges": ["hf:a/b"]}),
            ("openai:m@http://x/v1", {"model": "openai:m@http://x/v1/?max_usd=5"}),
        ],
    )
    def test_nobody_judges_himself(
        self, kind: type[DiscoverySettings], candidate: str, judge: dict[str, object]
    ) -> None:
        with pytest.raises(ConfigError, match="nobody judges himself"):
            load_settings(kind, overrides={"candidate": candidate, "judge": judge})

    def test_another_model_may_judge(self) -> None:
        settings = DiscoverySettings(candidate="hf:a/b", judge=JudgeSettings(model="hf:a/c"))
        assert settings.judge.specs == ("hf:a/c",)

    def test_a_wrong_setting_is_named(self) -> None:
        with pytest.raises(ConfigError, match=r"^--agreement"):
            load_settings(DiscoverySettings, overrides={"judge.agreement": 2})


def calibration(
    judge: str = JUDGE, sensitivity: int = 90, specificity: int = 80, prompt: str = ""
) -> Calibration:
    found = Discernment(sensitivity=wilson(sensitivity, 100), specificity=wilson(specificity, 100))
    return Calibration(
        judge=judge,
        prompts={**VERSIONS, **({"validity": prompt} if prompt else {})},
        measured_on="worlds:shapes",
        made="2026-01-01T00:00:00Z",
        items=400,
        validity=found,
        correctness=found,
    )


def settings_with(folder: Path, found: Calibration, **changes: object) -> JudgeSettings:
    path = folder / "judge.json"
    path.write_text(found.to_json())
    return JudgeSettings.model_validate({"model": JUDGE, "calibration": path, **changes})


class TestCalibration:
    def test_a_judge_is_named_as_it_is_configured(self) -> None:
        assert judge_name(JudgeSettings(model=f"{JUDGE}?key_env=SECRET")) == JUDGE
        assert judge_name(JudgeSettings(model=JUDGE, samples=3)) == (
            f"{JUDGE} × 3 at temperature 0.7, agreement 0.6"
        )
        assert (
            judge_name(JudgeSettings(model="a:B", judges=("c:D",), agreement=1)) == "a:B + c:D, agreement 1"
        )

    def test_the_calibration_of_this_judge_is_read(self, tmp_path: Path) -> None:
        assert read_calibration(settings_with(tmp_path, calibration())) == calibration()
        assert read_calibration(JudgeSettings(model=JUDGE)) is None

    @pytest.mark.parametrize(
        ("found", "says"),
        [
            (calibration(judge=OTHER), "another judge"),
            (calibration(prompt="validity-0"), "other prompts"),
            (calibration(sensitivity=10, specificity=90), "tells nothing"),
        ],
    )
    def test_one_that_does_not_fit_is_refused(self, tmp_path: Path, found: Calibration, says: str) -> None:
        with pytest.raises(ConfigError, match=says):
            read_calibration(settings_with(tmp_path, found))

    def test_one_judge_of_a_consensus_is_not_the_consensus(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="another judge"):
            read_calibration(settings_with(tmp_path, calibration(), judges=[OTHER]))

    def test_a_file_that_is_not_there_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="cannot read"):
            read_calibration(JudgeSettings(model=JUDGE, calibration=tmp_path / "nowhere.json"))

    def test_a_run_keeps_its_own_copy(self, tmp_path: Path) -> None:
        settings = settings_with(tmp_path, calibration())
        with Run.open(tmp_path / "run", command="discover", config={}) as run:
            assert calibration_of(run.ledger) is None
            adopt_calibration(run, settings)
            (tmp_path / "judge.json").unlink()
            adopt_calibration(run, settings)
        assert calibration_of(Run.read(tmp_path / "run").ledger) == calibration()


def judged(ledger: Ledger, by: str, found: Calibration | None) -> None:
    """80 questions of the questioner, half of them failures, and 80 of the baseline, a quarter of them."""
    for phase, share in (("discover", 2), ("baseline", 4)):
        ledger.finish(
            f"{phase}/0",
            observations=[
                observation(
                    f"{phase}/{i}",
                    phase=phase,
                    image_id=f"{i:064x}",
                    verdict=Verdict(valid=True, correct=float(i % share != 0), truth="yes", decided_by=by),
                )
                for i in range(80)
            ],
        )
    if found is not None:
        ledger.finish("calibration", found.model_dump(mode="json", by_alias=True))


class TestRates:
    def account(self, folder: Path, by: str, found: Calibration | None):  # type: ignore[no-untyped-def]
        with Run.open(folder / "run", command="discover", config={}) as run:
            judged(run.ledger, by, found)
            return account_of_discovery(run.ledger)

    def test_are_as_reported_without_a_calibration(self, tmp_path: Path) -> None:
        account = self.account(tmp_path, "judge", None)
        assert (account.failure_rate.value, account.baseline_failure_rate.value) == (0.5, 0.25)
        assert account.apparent_failure_rate is account.apparent_baseline_failure_rate is None

    def test_are_corrected_for_the_judges_errors(self, tmp_path: Path) -> None:
        account = self.account(tmp_path, "rules", calibration())
        assert (account.apparent_failure_rate.value, account.apparent_baseline_failure_rate.value) == (
            0.5,
            0.25,
        )
        assert account.failure_rate == true_rate(account.apparent_failure_rate, calibration().correctness)
        assert account.failure_rate.value == pytest.approx((0.5 - 0.2) / 0.7)
        assert account.baseline_failure_rate.value == pytest.approx((0.25 - 0.2) / 0.7)
        assert account.yield_ratio.value == pytest.approx(6)
        assert account.yield_ratio.low < 6 < account.yield_ratio.high

    def test_have_no_ratio_where_nothing_failed_in_the_baseline(self, tmp_path: Path) -> None:
        with Run.open(tmp_path / "run", command="discover", config={}) as run:
            judged(run.ledger, "facts", None)
            asked, baseline = (run.ledger.observations(phase) for phase in ("discover", "baseline"))
            flawless = [o for o in baseline if o.outcome == "correct"]
            assert ratio_of_failures(asked, flawless) is None
            assert ratio_of_failures(asked, []) is None
            rare = ratio_of_failures(asked, [*flawless, next(o for o in baseline if o.outcome == "failure")])
        assert rare is not None
        assert rare.low <= rare.value <= rare.high <= 2 * len(flawless) + 2

    def test_are_exact_where_facts_decided(self, tmp_path: Path) -> None:
        account = self.account(tmp_path, "facts", calibration())
        assert (account.failure_rate.value, account.apparent_failure_rate) == (0.5, None)
