"""A model that is asked for typed replies: one PydanticAI agent behind any OpenAI-compatible server.

What the model writes is validated; where it does not fit, the model is told what was wrong, a bounded number of times.
What is beyond one draft (a missing key, an unknown model, a server that is not there, a budget that is used up) stops
everything; what is not is an `Outage`: infrastructure, counted apart, never a rejected sample.

    writer = Consultant("openai:gpt-5-mini", Questions, Manner("You write questions."))
    writer.ask("Ask about the cups.", [record], seed=0)

The key comes from the environment and goes nowhere but to the server (`models.session`).
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_type_hints

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel

from scotoma.core import BudgetError, ConfigError, ImageRecord, ModelError, ScotomaError, SpecError, Tool
from scotoma.generate.handover import Outage
from scotoma.models.background import BackgroundLoop
from scotoma.models.data_url import data_url
from scotoma.models.options import EndpointOptions
from scotoma.models.session import read_key
from scotoma.models.spec import parse_model_spec, server_of
from scotoma.models.spending import Spending

if TYPE_CHECKING:
    from pydantic_ai import RunContext
    from pydantic_ai import Tool as AgentTool
    from pydantic_ai.capabilities import WrapModelRequestHandler
    from pydantic_ai.messages import ModelResponse
    from pydantic_ai.models import Model, ModelRequestContext

Output = TypeVar("Output", bound=BaseModel)

_PROMPTS = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "prompts"),
    undefined=StrictUndefined,
    autoescape=False,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Manner:
    """How a model is asked: `instructions` once for all, room for a reply in tokens, retries of an unreadable reply,
    temperature, and the tools that it may call before it replies."""

    instructions: str
    max_tokens: int = 2048
    retries: int = 2
    temperature: float = 0.0
    tools: Sequence[Tool[Any, Any]] = field(default=())


class Consultant(Generic[Output]):
    """Usable from several threads; its connections live on an event loop of their own.

    Args:
        model: `openai:MODEL@BASE_URL`, or a model of PydanticAI's (its test models, say).
        output: what every reply must be.

    Raises:
        ConfigError: the extra `agents` is not installed.
        SpecError: the spec names no endpoint.
        ModelError: the key that a hosted server needs is not in the environment.
    """

    def __init__(self, model: str | Model, output: type[Output], manner: Manner) -> None:
        _check_installed()
        from pydantic_ai import Agent, PromptedOutput

        options = parse_model_spec(model).served if isinstance(model, str) else EndpointOptions()
        opened = _open(model, options) if isinstance(model, str) else model
        self.name = model if isinstance(model, str) else opened.model_name
        self.spending = Spending(options)
        self._manner = manner
        self._options = options
        self._most = manner.max_tokens + options.thinking_tokens
        # Asked for in the prompt, not as a tool call: many servers of open models support no tools.
        self._agent = Agent(
            opened,
            output_type=PromptedOutput(output),
            instructions=manner.instructions,
            retries={"output": manner.retries, "tools": manner.retries},
            tools=[_agent_tool(tool) for tool in manner.tools],
        )
        self._loop = BackgroundLoop("scotoma-consultant")
        self._close = weakref.finalize(self, self._loop.close, _nothing())

    def ask(self, prompt: str, images: Sequence[ImageRecord] = (), seed: int = 0) -> Output:
        """The reply. It may take several requests (retries, tools): the budget admits and reserves each by itself.

        Raises:
            Outage: there is none that can be read, or the server failed this request.
            ImageError: an image cannot be read.
            ModelError: the server cannot be reached, knows no such model, or refuses the key.
            BudgetError: the next request might overrun the budget of the spec.
        """
        from pydantic_ai.messages import BinaryContent

        pictures = [BinaryContent.from_data_uri(data_url(image)) for image in images]
        return self._loop.run(self._ask([*pictures, prompt], seed))

    async def _ask(self, content: Sequence[Any], seed: int) -> Output:
        from pydantic_ai.capabilities import Hooks
        from pydantic_ai.exceptions import AgentRunError
        from pydantic_ai.usage import UsageLimits

        try:
            run = await self._agent.run(
                content,
                # Not the agent's own: it would hold us, and we it.
                capabilities=[Hooks(model_request=self._request)],
                usage_limits=UsageLimits(request_limit=2 * (1 + self._manner.retries) + 4),
                model_settings={
                    "max_tokens": self._most,
                    "temperature": self._manner.temperature,
                    "seed": seed,
                    "timeout": self._options.timeout,
                    "max_retries": self._options.retries,
                },
            )
        except AgentRunError as error:
            raise _failure(error, self.name) from error
        output: Output = run.output
        return output

    async def _request(
        self, ctx: RunContext[Any], *, request_context: ModelRequestContext, handler: WrapModelRequestHandler
    ) -> ModelResponse:
        """One of the requests of a run, within the budget."""
        from pydantic_ai.exceptions import AgentRunError

        if not await self.spending.room(self._most):
            raise BudgetError(
                f"the budget of {self.name} holds no further request: {self.spending.describe()}",
                hint="what was made is kept: raise max_usd or max_tokens_total and run it again",
            )
        with self.spending.reserve(self._most) as charge:
            try:
                response = await handler(request_context)
            except AgentRunError:
                raise
            except Exception as error:  # a reply that PydanticAI stumbles over: without choices, say
                raise Outage("unparsable", f"{type(error).__name__}: {error}") from error
            counted = (response.usage.input_tokens, response.usage.output_tokens)
            charge.settle(counted if any(counted) else None, answered=True)
        return response


def rendered(template: str, **values: object) -> str:
    """A prompt of `prompts/`, filled in."""
    return _PROMPTS.get_template(template).render(**values).strip()


def _open(spec: str, options: EndpointOptions) -> Model:
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    parsed = parse_model_spec(spec)
    if parsed.kind != "openai":
        raise SpecError(
            f"{spec!r} is behind no endpoint, and agents ask endpoints only",
            hint="serve it (`transformers serve`, vLLM) and write openai:MODEL@http://localhost:8000/v1",
        )
    base_url = server_of(parsed.base_url)
    # A redirect would take prompts and pictures to a server that nobody named.
    unmoved = DefaultAsyncHttpxClient(follow_redirects=False)
    client = AsyncOpenAI(base_url=base_url, api_key=read_key(options.key_env, base_url), http_client=unmoved)
    return OpenAIChatModel(parsed.target, provider=OpenAIProvider(openai_client=client))


def _failure(error: Exception, name: str) -> ScotomaError:
    """What PydanticAI raised, as one of ours: a stop for all, or an outage of one request."""
    from openai import APIStatusError
    from pydantic_ai import exceptions as raised

    match error:
        case raised.ModelAuthenticationError() | raised.ModelQuotaExceededError():
            return ModelError(
                f"{name} refuses the key or its account: {error}",
                hint="is the key right? ?key_env=NAME names the environment variable that holds it",
            )
        case raised.ModelNotFoundError():
            return ModelError(f"{name} is not there: {error}", hint="check the model's name and the base URL")
        case raised.ModelAPIError(__cause__=APIStatusError(status_code=status)) if status < 400:
            return ModelError(
                f"{name} redirects ({status}), where no request follows",
                hint="if the model is served there, write that server's base URL after the @ of the model spec",
            )
        case raised.ModelRateLimitError():
            return Outage("rate_limit", str(error))
        case raised.ModelTimeoutError() | raised.ModelRequestTimeout():
            return Outage("timeout", str(error))
        case raised.ModelConnectionError(phase="connect"):
            return ModelError(f"{name} cannot be reached: {error}", hint="is the server running?")
        case raised.ModelContextWindowExceededError() | raised.OutputTokenLimitExceeded():
            return Outage("too_long", str(error))
        case raised.ModelRequestRejectedError() | raised.ContentFilterError():
            return Outage("refused", str(error))
        case raised.ModelAPIError():
            return Outage("crashed", str(error))
    return Outage("unparsable", str(error))


def _agent_tool(tool: Tool[Any, Any]) -> AgentTool[object]:
    """One of our tools as PydanticAI's: a mistake in a call goes back to the model, which may mend it."""
    from pydantic_ai import ModelRetry
    from pydantic_ai import Tool as AgentTool

    arguments: type[BaseModel] = get_type_hints(type(tool).__call__)["arguments"]

    def call(**given: Any) -> Any:
        try:
            return tool(arguments.model_validate(given)).model_dump(mode="json")
        except (ScotomaError, ValueError) as error:
            raise ModelRetry(str(error)) from error

    return AgentTool.from_schema(call, tool.name, tool.about, arguments.model_json_schema())


def _check_installed() -> None:
    missing = next((name for name in ("openai", "pydantic_ai") if find_spec(name) is None), None)
    if missing is not None:
        raise ConfigError(
            f"language-model agents need {missing}, which the bare install leaves out",
            hint="pip install 'scotoma[agents]', or take --agents exact",
        )


async def _nothing() -> None:
    """What a loop runs last."""
