"""A tool that an agent can call: a name, what it does, typed arguments and result, and what a call costs.

class Look:                                    # obeys Tool[Words, Shown]; both are pydantic models
    name, about, cost = "look", "Pictures of the pool that show what the words say.", 0.0

    def __call__(self, arguments: Words) -> Shown: ...
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from pydantic import BaseModel

Arguments = TypeVar("Arguments", bound=BaseModel, contravariant=True)
Result = TypeVar("Result", bound=BaseModel, covariant=True)


class Tool(Protocol[Arguments, Result]):
    """`cost` is the price of one call in US dollars (0 for a local one); `about` is shown to the agent."""

    name: str
    about: str
    cost: float

    def __call__(self, arguments: Arguments) -> Result:
        """Run the tool. Raises `ScotomaError` with a message the agent can act on."""
        ...
