"""The taxonomy of a run: every answered question under its skills, their combination and its topic, with failure rates.

Two trees over the same questions. By skill: skill → combination of skills → topic, in which a question stands under
each skill that it needs. By topic: group → topic. A topic is what the tags say: `topic` where topics were found in the
text (`diagnose.topics`), a world's exact `operation`, else how the question asks.

    found = taxonomy(run.ledger.observations("discover"))
    found.skills, found.combinations, found.by_skill[0].path      # 9, 41, ('counting',)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from scotoma.core import Observation, Tags, Taxon, skills_of
from scotoma.diagnose.selection import rate_told

NO_TOPIC = "no topic"
"""Where a question stands that is near no topic."""

UNIFORM = "baseline"
"""The phase of the questions that nothing selected."""


class Taxonomy(BaseModel):
    """`by_skill` and `by_topic` are trees as flat lists, parents before children, most failures first."""

    model_config = ConfigDict(frozen=True)

    questions: int = Field(description="valid questions that were answered")
    skills: int = Field(description="distinct skills among them")
    combinations: int = Field(description="distinct sets of skills")
    topics: int = Field(description="distinct topics, the questions of no topic aside")
    by_skill: tuple[Taxon, ...] = ()
    by_topic: tuple[Taxon, ...] = ()

    def top(self, depth: int = 2, most: int = 8) -> Taxonomy:
        """The same without what lies deeper than `depth`, with at most `most` children below each node, and without an
        only child, which would say what its parent says.
        """
        return self.model_copy(
            update={
                "by_skill": _pruned(self.by_skill, depth, most),
                "by_topic": _pruned(self.by_topic, depth, most),
            }
        )


def taxonomy(observations: Iterable[Observation], groups: Mapping[str, str] | None = None) -> Taxonomy:
    """Place every valid, answered question; invalid ones and infrastructure errors have no place.

    Args:
        observations: of one candidate.
        groups: topic → the wider topic that holds it (`TopicModel.groups`).
    """
    rows = [row for row in observations if row.answered]
    by_skill = [(row, path) for row in rows for path in _skill_paths(row.tags, groups or {})]
    by_topic = [(row, topic_path(row.tags, groups or {})) for row in rows]
    leaves = {path[-1] for _, path in by_topic} - {NO_TOPIC}
    return Taxonomy(
        questions=len(rows),
        skills=len({path[0] for _, path in by_skill}),
        combinations=len({path[1] for _, path in by_skill}),
        topics=len(leaves),
        by_skill=_tree(by_skill),
        by_topic=_tree(by_topic),
    )


def topic_path(tags: Tags, groups: Mapping[str, str]) -> tuple[str, ...]:
    """From the widest topic to the question's own: found in text, exact, or the way it asks."""
    if "topic" in tags:
        topic = str(tags["topic"])
        group = groups.get(topic, topic)
        return (topic,) if group == topic else (group, topic)
    if groups:
        return (NO_TOPIC,)
    if "operation" in tags:
        return (str(tags.get("type", "questions")), str(tags["operation"]))
    return (str(tags["asks"]),) if "asks" in tags else (NO_TOPIC,)


def _skill_paths(tags: Tags, groups: Mapping[str, str]) -> list[tuple[str, ...]]:
    skills = skills_of(tags)
    combination = "+".join(sorted(skills))
    own = topic_path(tags, groups)[-1]
    return [(name, combination, own) for name in sorted(skills)]


def _tree(placed: Sequence[tuple[Observation, tuple[str, ...]]]) -> tuple[Taxon, ...]:
    members: dict[tuple[str, ...], list[Observation]] = defaultdict(list)
    for row, path in placed:
        for depth in range(1, len(path) + 1):
            members[path[:depth]].append(row)
    nodes = {path: _taxon(path, rows) for path, rows in members.items()}

    def place(path: tuple[str, ...]) -> list[tuple[int, str]]:
        """Sorts a node behind its parents, those with more failures first."""
        return [(-nodes[path[:depth]].failures, path[depth - 1]) for depth in range(1, len(path) + 1)]

    return tuple(nodes[path] for path in sorted(nodes, key=place))


def _taxon(path: tuple[str, ...], rows: Sequence[Observation]) -> Taxon:
    uniform = [row for row in rows if row.phase == UNIFORM]
    told = rate_told(uniform, [row for row in rows if row.phase != UNIFORM])
    return Taxon(
        path=path,
        questions=len(rows),
        failures=sum(row.outcome == "failure" for row in rows),
        failure_rate=told.rate,
        uniform=told.uniform,
    )


def _pruned(tree: Sequence[Taxon], depth: int, most: int) -> tuple[Taxon, ...]:
    """Children of the root are all kept: it is what stands below each node that is cut."""
    questions = {node.path: node.questions for node in tree}
    kept: list[Taxon] = []
    children: dict[tuple[str, ...], int] = defaultdict(int)
    gone: set[tuple[str, ...]] = set()
    for node in tree:
        parent = node.path[:-1]
        children[parent] += 1
        alone = questions.get(parent) == node.questions
        if alone or node.depth > depth or parent in gone or (parent and children[parent] > most):
            gone.add(node.path)
        else:
            kept.append(node)
    return tuple(kept)
