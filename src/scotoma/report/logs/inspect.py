"""Inspect's logs: `.eval` (a zip of JSON files) and `.json`, read as they are, without Inspect.

Each sample has an `input` (text, or messages with pictures), a `target`, the model's `output` and `scores` by scorer,
where `C` is right, `I` wrong, `P` half and `N` no answer. A sample with an `error` was never answered. (Fields as in
`inspect_ai.log.EvalSample`; the values of letters as in its `value_to_float`.)

    for entry in read(Path("logs/2025_task.eval")): ...
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from scotoma.core import LogError
from scotoma.report.logs import fields
from scotoma.report.logs.json_lines import parse, read_json
from scotoma.report.logs.record import Entry, Record, Row, Skipped, Wanted

_LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)
_REMOVED = "<base64-data-removed>"
"""What a log without pictures (`--no-log-images`) has in place of each of them: no name of one."""
_LARGEST = 1 << 30
"""Bytes of one unpacked sample; a larger one is a zip bomb or no sample."""


def read(path: Path, wanted: Wanted = ()) -> Iterator[Entry]:
    """The samples of a log; `wanted` names metadata to take beside the usual categories.

    Raises:
        LogError: the file is no log, or is packed in a way that needs another package.
    """
    # Of ten points 1 is no full mark: only the whole log tells the scale.
    samples = (sample for _, sample in _samples(path) if not isinstance(sample, Skipped))
    scaled = {name for sample in samples for name, value in _values(sample) if fields.above_one(value)}
    for where, sample in _samples(path):
        yield sample if isinstance(sample, Skipped) else _entry(where, sample, path, wanted, scaled)


def candidate(path: Path) -> str | None:
    """The model that the log is about."""
    header = _header(path)
    spec = header.get("eval") if isinstance(header, dict) else None
    return fields.text_of(spec.get("model")) if isinstance(spec, dict) else None


def _samples(path: Path) -> Iterator[tuple[str, Row | Skipped]]:
    if not zipfile.is_zipfile(path):
        document = read_json(path)
        samples = document.get("samples") if isinstance(document, dict) else None
        for number, sample in enumerate(samples if isinstance(samples, list) else (), 1):
            where = f"sample {number}"
            yield where, sample if isinstance(sample, dict) else Skipped(where, "not an object")
        return
    with _open(path) as archive:
        for name in sorted(
            name for name in set(archive.namelist()) if re.fullmatch(r"samples/.+\.json", name)
        ):
            where = name.removeprefix("samples/").removesuffix(".json")
            try:
                sample = parse(_unpack(archive, name, path))
            except _BROKEN:
                yield where, Skipped(where, "damaged sample")
                continue
            yield where, sample if isinstance(sample, dict) else Skipped(where, "not an object")


def _header(path: Path) -> Any:
    if not zipfile.is_zipfile(path):
        return read_json(path)
    with _open(path) as archive, suppress(*_BROKEN):
        # A log of a run that was stopped has only its beginning.
        name = "header.json" if "header.json" in archive.namelist() else "_journal/start.json"
        return parse(_unpack(archive, name, path))
    return None


def _open(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise LogError(f"{path} is no zip that can be read: {error}", hint="copy it again") from error


def _unpack(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    try:
        entry = archive.getinfo(name)
    except KeyError as error:
        raise ValueError(f"{name} is missing") from error
    if entry.file_size > _LARGEST:
        raise ValueError(f"{name} is too large")
    zstandard = 93
    if entry.compress_type == zstandard:
        # Python's zipfile knows it from 3.14 on; before, this package teaches it (Inspect brings it along).
        with suppress(ImportError):
            import zipfile_zstd  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: F401
    try:
        return archive.read(name)
    except NotImplementedError as error:
        if entry.compress_type != zstandard:
            raise
        raise LogError(f"{path} is packed with Zstandard", hint="pip install zipfile-zstd") from error


def _entry(where: str, sample: Row, path: Path, wanted: Wanted, scaled: Collection[str]) -> Entry:
    attachments = sample.get("attachments")
    question, picture = _input(sample.get("input"), attachments if isinstance(attachments, dict) else {})
    if question is None:
        return Skipped(where, "no question")
    answer = _answer(sample.get("output"))
    options = fields.options_of(sample.get("choices"))
    metric, score = _score(sample, scaled)
    metadata, target = sample.get("metadata"), sample.get("target")
    return Record(
        where=where,
        id=fields.text_of(sample.get("id")) or where,
        question=_with_options(question, options),
        # A target that is a list holds alternatives; one that is text is an answer, whatever it looks like.
        truths=fields.truths_of(target, alternatives=isinstance(target, list)),
        answer=answer,
        score=score,
        metric=metric,
        options=options,
        image=_beside(picture, path) if isinstance(picture, str) else picture,
        image_key=picture if isinstance(picture, str) and picture != _REMOVED else "",
        columns=fields.columns_of(metadata, wanted) if isinstance(metadata, dict) else {},
        error=_error(sample, answer, scored=score is not None),
    )


def _input(value: Any, attachments: Mapping[str, Any]) -> tuple[str | None, bytes | str | None]:
    """The text of the last message of the user, and the first picture in it or before it: its bytes where the log
    has them, else what it is called there.
    """
    if not isinstance(value, list):
        text = fields.text_of(value)
        return _resolved(text, attachments) if text and text.strip() else None, None
    question: str | None = None
    picture: bytes | str | None = None
    for message in value:
        if not isinstance(message, dict) or message.get("role") not in ("user", None):
            continue
        content = message.get("content")
        parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
        parts = [part for part in parts if isinstance(part, dict)]
        texts = [fields.text_of(part.get("text")) for part in parts if part.get("type") == "text"]
        text = "\n".join(_resolved(text, attachments) for text in texts if text)
        question = text if text.strip() else question
        for part in parts:
            if part.get("type") == "image" and picture is None:
                source = _resolved(fields.text_of(part.get("image")) or "", attachments)
                read = fields.picture_of(source) if source.startswith("data:") else None
                picture = read or source or None
    return question, picture


def _with_options(question: str, options: Mapping[str, str]) -> str:
    """The question as it was asked: the solver `multiple_choice` lists the options, the sample's input does not."""
    if all(re.search(rf"(?:^|\s)\(?{letter}[.):]", question) for letter in options):
        return question
    return "\n".join([question, *(f"{letter}. {text}" for letter, text in options.items())])


def _resolved(text: str, attachments: Mapping[str, Any]) -> str:
    """Inspect keeps long texts and pictures apart, under `attachment://HASH`."""
    kept = attachments.get(text.removeprefix("attachment://")) if text.startswith("attachment://") else None
    return (fields.text_of(kept) or text) if kept is not None else text


def _beside(picture: str, path: Path) -> Path | None:
    """A picture that is named by a path, as it stands or beside the log; nothing is fetched."""
    if "://" in picture or picture.startswith("data:") or len(picture) > 1000:
        return None
    found = Path(picture)
    return found if found.is_absolute() else path.parent / found


def _answer(output: Any) -> str | None:
    if not isinstance(output, dict):
        return None
    told = fields.text_of(output.get("completion"))
    choices = output.get("choices")
    if told is None and isinstance(choices, list) and choices and isinstance(choices[0], dict):
        message = choices[0].get("message")
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            parts = [part for part in content if isinstance(part, dict) and part.get("type") == "text"]
            return "".join(fields.text_of(part.get("text")) or "" for part in parts)
        return fields.text_of(content)
    return told


def _values(sample: Row) -> Iterator[tuple[str, Any]]:
    """Scorer and the value that it gave."""
    scores = sample.get("scores")
    for name, score in scores.items() if isinstance(scores, dict) else ():
        yield str(name), score.get("value") if isinstance(score, dict) else score


def _score(sample: Row, scaled: Collection[str]) -> tuple[str, float | None]:
    """The first scorer with a clear value."""
    for name, value in _values(sample):
        if isinstance(value, str) and value in _LETTERS:
            return name, _LETTERS[value]
        found = None if name in scaled else fields.score_of("score", value)
        if found is not None:
            return name, found
    return "", None


def _error(sample: Row, answer: str | None, *, scored: bool) -> str | None:
    output = sample.get("output")
    if sample.get("error"):
        return "sample_error"
    if isinstance(output, dict) and output.get("error"):
        return "api_error"
    if answer is None:
        return "no_response"
    # A scorer that judged an empty completion (after tool calls, say) knew what it did.
    return None if scored and not answer.strip() else fields.failure_in(answer)
