"""Tags for any question in English, from its words alone: what failure modes are written in where no parser knows more.

A world knows exactly what its questions need. A photo's question, or one out of a benchmark's log, comes as free text;
these few transparent rules say which skills it names, how it asks and how its answer looks. They miss what is only
implied, so a tag means "the wording says so". (Ours; the names follow the worlds' skills, where `position` stands for
`horizontal` and `vertical`.)

>>> tags = wording_tags("How many people are not wearing a red hat?", truth="3")
>>> tags["skill"], tags["asks"], tags["answer_kind"], tags["words"], tags["negated"]
(('action', 'counting', 'negation'), 'how many', 'number', 9, True)
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache

from scotoma.core import Tag
from scotoma.diagnose.answer_tags import POLAR, answer_tags

OTHER = "other"
"""The skill of a question whose wording names none."""


def _pattern(*phrases: str) -> re.Pattern[str]:
    """Whole words that are any of these phrases."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(phrases)})(?!\w)")


_COLOURS = "(?:red|orange|yellow|green|blue|purple|violet|pink|brown|black|white|gr[ea]y|beige|golden|silver)"
_SIZES = "(?:small|little|tiny|large|big|huge|tall|short|long|wide|narrow|thick|thin)"
_ASKING = "(?:is|are|was|were|does|do|did|can|could|has|have|had|will|would|should|am)"
_PICTURE = "(?:image|picture|photo|photograph|scene)"
_AMOUNTS = (
    r"\b(?:values?|prices?|rates?|percent|percentages?|numbers?|amounts?|years?|counts?|scores?|costs?)\b"
)
_SURFACES = "(?:sign|shirt|jersey|bus|train|plate|screen|label|book|page|board|wall|bottle|box)"
_BEFORE_THINGS = r"(?:an?|the|in|into|inside|on|of|from|by|near|behind|with)\b"

# One pattern per skill, for the question in lower case.
_SKILLS: dict[str, re.Pattern[str]] = {
    "counting": _pattern(
        "how many",
        "count|counted|counting",
        "(?:what|total|which|the|exact) number of",
        "what is the total of",
    ),
    "colour": _pattern(
        "colou?r|colou?rs|colou?red|hue",
        rf"^{_ASKING}(?:n't)? .*\b{_COLOURS}(?: or {_COLOURS})? ?\?$",
    ),
    "reading": _pattern(
        "read|reads|written|writes?|spells?|spelled|says?|printed|displayed|inscription|handwriting|handwritten",
        "(?:what|which)(?: is| are)?(?: the)? (?:digit|letter|word|sign|text|title|caption|brand|logo)s?",
        r"(?:digit|letter|word) (?!of|is|are|on|in|and|or|from|that|does|do)[\"'“‘]?\w+",
        rf"(?:text|number|name|words?|letters?)(?: is| are)? (?:on|of) the (?:\w+ )?{_SURFACES}",
        "licen[cs]e plate|(?:what|which) number is",
    ),
    "position": _pattern(
        "where|location|located|position|placed|orientation|facing|(?:which|what) (?:side|direction)",
        r"(?:to|on|at|in) the (?:\w+ )?(?:left|right)(?! order)|left or right|leftmost|rightmost",
        "(?:left|right) (?:of|side|hand|corner|part|half)",
        "above|below|beneath|under|underneath|behind|beside|among|in front of|next to|on top of",
        # Neither a difference nor a span of years is a place.
        r"(?<!difference )(?<!differences )(?<!ratio )between(?! (?:1|2)\d{3}(?!\d))",
        "near|nearer|nearest|close|closer|closest|far|farther|farthest|top|topmost|bottom|in the (?:fore|back)ground",
        "(?:upper|lower|middle|cent(?:re|er)|corner|foreground|background) (?:of|part|left|right|half|side)",
        rf"^(?!.*{_AMOUNTS}).*\b(?:higher|lower) than",
    ),
    "size": _pattern(
        "sizes?|height|width|length|diameter|area|volume|how (?:big|large|small|tall|long|wide|high|thick|deep)",
        "(?:bigg|larg|small|tall|long|short|wid|thick|thinn|narrow)(?:er|est)",
        rf"^{_ASKING} .*\b{_SIZES} or {_SIZES}",
        rf"^{_ASKING} (?:the|this|that|it) .*\b{_SIZES} ?\?$",
    ),
    "shape": _pattern(
        "shape|shapes|shaped|what form",
        r"^(?:is|are) (?:the|this|that|it) (?:\w+ )?(?:round|square|circular|rectangular|triangular) ?\?$",
    ),
    "material": _pattern(
        "made (?:of|from|out of)|materials?|textures?|fabric",
        r"(?:wooden|metal|metallic|plastic|rubber) ?\?$",
        # "In the left glass" it is a vessel.
        rf"(?:^{_ASKING} (?:the|this|that|it|these|those)(?: (?!{_BEFORE_THINGS})\w+)*|is|are|or) glass ?\?$",
    ),
    "existence": _pattern(
        r"(?:^|(?<=^and )|(?<=, ))(?:is|are|was|were)(?:n't)? there(?! (?:more|fewer|less|as many))(?!.* than )",
        "(?:do|can|could) (?:you|we) (?:see|find|spot) (?:an?|any|some|no)",
        f"does (?:the|this) {_PICTURE} (?:show|contain|have|include|feature|depict)",
        f"^(?:is|are) the {_PICTURE} without",
        rf"^(?:is|are) (?:an?|some) .* in (?:the|this) {_PICTURE}",
        "any|exists?|present|visible|contains?",
    ),
    "identity": _pattern(
        "who|whose|whom|name of|identify|recogni[sz]e|called",
        "(?:what|which) (?:kind|type|sort|breed|species|make|model|brand|variety)",
        r"(?:what|which) (?:\w+ )?(?:animal|bird|dog|plant|flower|fruit|vegetable|food|person|character)s?",
        r"(?:what|which) (?:\w+ )?(?:object|item|thing|vehicle|building|machine|toy|tool|instrument|landmark)s?",
        "(?:what|which) (?:people|country|city)",
        "what(?: is|'s| are) (?:this|that|these|those|it|the (?:name|thing|object|animal|person))",
    ),
    "action": _pattern(
        r"(?:do|does|did|is|are|was|were) (?:.* )?(?:doing|holding|wearing|playing|eating|drinking|riding|walking)",
        r"(?:is|are|was|were) (?:.* )?(?:running|sitting|standing|looking|carrying|using|driving|sleeping|jumping)",
        r"(?:is|are|was|were) (?:.* )?(?:flying|swimming|cooking|talking|smiling|cutting|throwing|catching|watching)",
        r"(?:is|are|was|were) (?:.* )?(?:pulling|pushing|lying|dancing|skiing|surfing|skateboarding)",
        "activity|activities|actions?|happening|gestures?|sports?|pose",
    ),
    "comparison": _pattern(
        "(?:more|fewer|less|greater|better|worse) .*than",
        rf"^{_ASKING} there (?:more|fewer|less)",
        r"as (?:many|much|\w+) .*as|outnumbers?",
        "same|different|differences?|differs?|similar|equal|identical|compare[ds]?|compared|alike|match(?:es|ing)?",
        "most|least|highest|lowest|maximum|minimum|largest|smallest|biggest|tallest|shortest|longest|oldest|youngest",
        r"(?!higher|lower|other|rather|further)\w+er than",
        rf"(?:higher|lower)(?=.*{_AMOUNTS})|{_AMOUNTS}.*\b(?:higher|lower)",
    ),
    "negation": _pattern(
        "not|no|without|except|excluding|none|neither|nor|never|nobody|nothing|cannot|lacks?|absent",
        # "The missing number" is one to find.
        r"(?<!the )(?<!a )missing|\w+n't",
    ),
    "calculation": _pattern(
        "sum|average|mean|median|difference between|ratio|fraction|percent|percentage|how much",
        "calculate|compute|add|added|subtract|subtracted|multiply|multiplied|divide|divided|solve|equation",
        r"perimeter|angle|total (?!number|of)\w+",
    ),
    "time": _pattern(
        "when|clock|season|day or night|night or day|daytime|nighttime|how (?:old|long ago|late)",
        "(?:what|which) (?:time|year|month|day|date|decade|century|hour)|time of (?:the )?(?:day|year)",
    ),
    "reason": _pattern(
        "why|reason|purpose|because|infer|inferred|imply|implies|conclude|explain|likely|probably|suggests?",
        "intention|predict|function of|causes?|caused|what (?:will|would|might|could) happen",
    ),
    "emotion": _pattern(
        "feels?|feelings?|feeling|emotions?|mood|happy|sad|angry|expression|facial|atmosphere|attitude"
    ),
    "scene": _pattern(
        r"(?:what|which|kind of|type of) (?:\w+ )?(?:room|place|scene|setting|environment)|weather",
        f"indoors?|outdoors?|inside or outside|where (?:was|is) (?:this|the) {_PICTURE}",
    ),
}
SKILLS: tuple[str, ...] = (*_SKILLS, OTHER)
"""Every value that `skill` can hold."""

# The first that fits says how the question asks; the last part of a long question counts, not its preamble.
_ASKS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("how many", _pattern("how many", "(?:what|total|exact) number of", "^count")),
    ("how much", _pattern("how much")),
    ("what colour", _pattern("(?:what|which)(?: is| are)?(?: the)? colou?rs?")),
    ("why", _pattern("why")),
    ("where", _pattern("where")),
    ("when", _pattern("when (?:is|was|did|does|do|will|were|are)", "what (?:time|year)")),
    ("who", _pattern("who|whose|whom")),
    ("is/are", _pattern(rf"^(?:and |so |then )?{_ASKING}(?:n't)?")),
    ("which", _pattern("which")),
    ("how", _pattern("how")),
    ("what", _pattern("what")),
    ("is/are", _pattern(rf"(?<=[,;:] ){_ASKING}(?:n't)? (?:the|there|this|that|it|you|an?|any|these|those)")),
)
LETTERS = tuple("ABCDEFGH")
"""What listed options are called."""

ANSWER_KINDS = ("yes/no", "number", "option", "words")
"""Every value that `answer_kind` can hold."""

_MARKUP = re.compile(r"<image(?:[_ ]?\d+)?>|<\|[^|>]*\|>|<img>.*?</img>", re.IGNORECASE)
_OPTION_LINE = re.compile(
    r"(?m)^\s*(?:\(?[A-H][.):]|\([A-H]\))\s*\S.*$|(?m:^\s*(?:options?|choices)\s*:.*$)", re.IGNORECASE
)
_HINT = re.compile(
    r"(?:^|(?<=[.?!:\n]))\s*(?:please\b[, ]*)?(?:"
    r"(?:directly )?answer (?:the |this |with |in |using |yes|directly|from|each)"
    r"|(?:select|choose|pick|respond|reply|output|return|give|provide|put|think)\b"
    r"(?=.*\b(?:answer|option|letter|choices?|word|phrase|step|box(?:ed)?)\b)"
    r"|hint:|note:)[^\n]*?(?:[.!](?=\s|$)|\n|$)",
    re.IGNORECASE,
)
_INLINE_OPTIONS = re.compile(r"\(A\)\s*.+?\(B\)|\bA[.)]\s+.+?\bB[.)]\s", re.DOTALL)
_SENTENCE = re.compile(r"[^.?!\n]*(?:[.](?=\d)[^.?!\n]*)*[.?!\n]?")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
# Spatial and number words are content here; general stop-word lists would drop "above", "left" and "two".
_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an the is are was were be been do does did can could you i it its this that these those there here in on at "
        "of to for by with from and or as what which who how many much show shows see picture image scene please any",
    )
)
_LONGEST = 4000
"""Characters of a question that are looked at: enough for any question, and a bound on what a broken log can cost."""


def wording_tags(
    question: str,
    truth: str | None = None,
    options: Mapping[str, str] | Collection[str] | None = None,
) -> dict[str, Tag]:
    """The tags of a question in free text.

    - `skill`: the abilities that the wording names, sorted, out of `SKILLS`; `("other",)` where it names none.
    - `asks`: how it asks: `how many`, `how much`, `what colour`, `why`, `where`, `when`, `who`, `is/are`, `which`,
      `how` or `what`; `instruction` where it tells rather than asks ("describe the chart").
    - `answer_kind`: out of `ANSWER_KINDS`; left out where neither truth nor options are known.
    - `words`: the length of the question in words, prompt hints and options aside, 0 upwards.
    - `answer`, `count`: what is right, where it is known and one of few (`scotoma.diagnose.answer_tags`).
    - `negated`: whether it needs the skill `negation`.
    - `composed`: whether it needs two skills or more.

    Args:
        question: as it was put; image placeholders, listed options and hints on how to answer are passed over.
        truth: the right answer, where it is known.
        options: letter → text of a multiple-choice question, or the options alone.
    """
    bare = bare_question(question)
    asked = _core(bare).lower().replace("’", "'")
    skills = tuple(sorted(name for name, pattern in _SKILLS.items() if pattern.search(asked))) or (OTHER,)
    tags: dict[str, Tag] = {
        "skill": skills,
        "asks": next((name for name, pattern in _ASKS if pattern.search(asked)), "instruction"),
        "words": len(_WORD.findall(bare)),
        "negated": "negation" in skills,
        "composed": len(skills) > 1,
    }
    kind = "option" if options or _INLINE_OPTIONS.search(question[:_LONGEST]) else _answer_kind(truth)
    tags |= answer_tags(asked, truth, skills, _letters(question, options))
    return tags if kind is None else {**tags, "answer_kind": kind}


@lru_cache(maxsize=65536)
def content_words(question: str) -> tuple[str, ...]:
    """The words that say what a question is about, in order, in lower case.

    >>> content_words("How many cups are left of the plate?")
    ('cups', 'left', 'plate')
    """
    words = re.findall(r"[^\W_]+", question.lower())
    return tuple(word for word in words if word not in _STOP_WORDS)


def bare_question(question: str) -> str:
    """The question without image placeholders, listed options and hints on how to answer.

    >>> bare_question("<image>What is shown?\\nA. cat\\nB. dog\\nAnswer with the option's letter.")
    'What is shown?'
    """
    text = _MARKUP.sub(" ", question[:_LONGEST])
    for part in (_OPTION_LINE, _HINT):
        # A question that consists of nothing else is kept as it is.
        shorter = part.sub(" ", text)
        text = shorter if _WORD.search(shorter) else text
    return " ".join(text.split())


def _letters(question: str, options: Mapping[str, str] | Collection[str] | None) -> Collection[str]:
    """The letters of the options, given or listed."""
    if isinstance(options, Mapping):
        return options.keys()
    return LETTERS if _INLINE_OPTIONS.search(question[:_LONGEST]) else ()


def _core(bare: str) -> str:
    """The last sentence that asks something; all of a text that has none."""
    sentences = [sentence.strip() for sentence in _SENTENCE.findall(bare)]
    asking = [sentence for sentence in sentences if sentence.endswith("?") and _WORD.search(sentence)]
    return asking[-1] if asking else bare


def _answer_kind(truth: str | None) -> str | None:
    text = "" if truth is None else truth.strip().strip(".").lower()
    if not text:
        return None
    if text in POLAR:
        return "yes/no"
    if re.fullmatch(r"\(?[a-h]\)?", text):
        return "option"
    return "number" if re.fullmatch(r"[-+]?[$€£]?\d[\d,]*(?:\.\d+)?\s*%?", text) else "words"
