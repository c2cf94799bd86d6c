"""A predicate names a set of questions: it reads back from its written form, and membership is decided by tags."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.core import Condition, ConfigError, Predicate, Tag

KEYS = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "and",
            "a and b=c",
            "x|y",
            'say "no"',
            "true",
            "7",
            "07",
            "-0",
            " padded ",
            "any question",
            "=",
            ">=3",
            "in",
        ]
    ),
)
SCALARS: st.SearchStrategy[bool | int | str] = st.one_of(st.booleans(), st.integers(), TEXTS)
CONDITIONS = st.one_of(
    st.builds(Condition, key=KEYS, op=st.sampled_from(["=", "!=", ">=", "<="]), value=SCALARS),
    st.builds(
        Condition, key=KEYS, op=st.just("in"), value=st.lists(TEXTS, min_size=1, max_size=4).map(tuple)
    ),
)
PREDICATES = st.lists(CONDITIONS, max_size=4).map(lambda conditions: Predicate(conditions=tuple(conditions)))
TAGS: st.SearchStrategy[dict[str, Tag]] = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), st.one_of(SCALARS, st.lists(TEXTS, max_size=3).map(tuple)), max_size=3
)


def holds(text: str, **tags: Tag) -> bool:
    return Predicate.parse(text).matches(tags)


@given(PREDICATES)
def test_every_predicate_reads_back_from_its_written_form(predicate: Predicate) -> None:
    assert Predicate.parse(str(predicate)) == predicate


@given(PREDICATES)
def test_every_predicate_survives_json(predicate: Predicate) -> None:
    assert Predicate.model_validate_json(predicate.model_dump_json()) == predicate


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_and_never_breaks(text: str) -> None:
    try:
        predicate = Predicate.parse(text)
    except ConfigError:
        return
    assert Predicate.parse(str(predicate)) == predicate


@given(PREDICATES, PREDICATES, TAGS)
def test_a_conjunction_holds_exactly_where_both_parts_hold(
    one: Predicate, two: Predicate, tags: dict[str, Tag]
) -> None:
    both = Predicate(conditions=one.conditions + two.conditions)
    assert both.matches(tags) == (one.matches(tags) and two.matches(tags))


@given(st.sampled_from(["a", "b", "c", "d"]), SCALARS, TAGS)
def test_unequal_is_the_complement_of_equal(key: str, value: bool | int | str, tags: dict[str, Tag]) -> None:
    equal, unequal = Condition(key=key, op="=", value=value), Condition(key=key, op="!=", value=value)
    assert equal.matches(tags) != unequal.matches(tags)


@given(SCALARS)
def test_a_tag_meets_the_condition_built_from_it(value: bool | int | str) -> None:
    assert Condition(key="a", op="=", value=value).matches({"a": value})


@given(st.lists(TEXTS, min_size=1, max_size=4), TAGS)
def test_in_holds_where_equality_with_some_option_holds(options: list[str], tags: dict[str, Tag]) -> None:
    some = any(Condition(key="a", op="=", value=option).matches(tags) for option in options)
    assert Condition(key="a", op="in", value=tuple(options)).matches(tags) == some


@given(st.integers(), st.integers())
def test_bounds_compare_whole_numbers(present: int, bound: int) -> None:
    assert Condition(key="n", op=">=", value=bound).matches({"n": present}) == (present >= bound)
    assert Condition(key="n", op="<=", value=bound).matches({"n": present}) == (present <= bound)


def test_equality_on_a_set_means_that_the_set_contains_the_value() -> None:
    assert holds("skill=counting", skill=("counting", "negation"))
    assert not holds("skill=counting", skill=("colour",))
    assert not holds("skill=counting", skill=())


def test_a_digit_read_off_a_sign_is_text_in_the_tags_and_a_number_in_the_condition() -> None:
    assert holds("digit=7", digit=("7",))
    assert holds("answer=7", answer="7")
    assert not holds("digit=7", digit=("70",))


def test_flags_are_compared_as_flags() -> None:
    assert holds("occluded=true", occluded=True)
    assert holds("occluded in true|false", occluded=False)
    assert not holds("occluded=true", occluded=1)


def test_a_question_without_the_tag_satisfies_only_unequal() -> None:
    assert holds("count!=3")
    assert not any(holds(text) for text in ("count=3", "count>=0", "count<=9", "count in 1|2|3"))


def test_bounds_on_text_or_sets_hold_nowhere() -> None:
    assert not holds("colour>=3", colour="red")
    assert not holds("colour<=3", colour=("red",))


def test_the_empty_predicate_is_any_question() -> None:
    assert Predicate.parse("") == Predicate.parse("any question") == Predicate()
    assert Predicate().matches({})


def test_text_with_an_and_is_quoted() -> None:
    predicate = Predicate(
        conditions=(
            Condition(key="wording", op="=", value="is {the} and {that} red ?"),
            Condition(key="count", op=">=", value=2),
        )
    )
    assert str(predicate) == 'wording="is {the} and {that} red ?" and count>=2'


@pytest.mark.parametrize(
    "text",
    [
        "colour",
        "=red",
        "colour=",
        "colour red",
        "a=1 and",
        "and a=1",
        "a=1 and b",
        "colour=red|blue",
        "colour in red||blue",
        'a="b',
        "a~b",
    ],
)
def test_what_is_no_conjunction_of_conditions_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="cannot read the condition"):
        Predicate.parse(text)


@pytest.mark.parametrize(
    ("op", "value"), [("=", ("red", "blue")), ("in", "red"), ("in", ()), (">=", ("1",))], ids=str
)
def test_only_in_takes_options(op: str, value: object) -> None:
    with pytest.raises(ValueError, match="takes a tuple of options"):
        Condition.model_validate({"key": "colour", "op": op, "value": value})


def test_a_key_is_one_word() -> None:
    with pytest.raises(ValueError, match="key"):
        Condition(key="two words", op="=", value="red")
