"""Webhooks and deliveries in responses."""

from typing import Annotated, Literal

from pydantic import Field

from identity_service.events import TEST, TYPES
from identity_service.response_models.words import CreatedAt, Shape, Time

WebhookId = Annotated[str, Field(pattern="^hook_[0-9a-f]{16}$", description="The id of the webhook.")]
DeliveryId = Annotated[
    str, Field(pattern="^[0-9a-f]{64}$", description="The id of the delivery: the header webhook-id of every attempt.")
]
EventWord = Literal[TYPES]  # type: ignore[valid-type]
AnyEvent = Literal[(*TYPES, TEST)]  # type: ignore[valid-type]


class WebhookModel(Shape):
    """A receiver of events."""

    id: WebhookId
    url: str = Field(description="Where events are sent.")
    types: list[EventWord] = Field(description="The types of events that it gets; empty: all.")
    description: str = Field(description="The description, as it was given.")
    enabled: bool = Field(description="Whether it gets events.")
    disabled_reason: str | None = Field(description="Why it is off: a person, or five days of failures. Null while on.")
    failing_since: Time | None = Field(description="When it began to fail, in UTC. Null while its last delivery worked.")
    created_at: CreatedAt


class WebhookWithSecret(WebhookModel):
    """A webhook with its secret."""

    secret: str = Field(description="Signs its deliveries. Shown once: save it now.")


class WebhookGone(Shape):
    """A deleted webhook."""

    id: WebhookId
    deleted: Literal[True] = Field(description="It gets nothing more.")


class DeliveryModel(Shape):
    """A delivery of an event to a webhook."""

    id: DeliveryId
    type: AnyEvent = Field(description="The type of the event.")
    created_at: Time = Field(description="When the event happened, in UTC.")
    status: Literal["pending", "delivered", "failed", "dropped"] = Field(
        description="pending: it is tried again. failed: given up. dropped: the webhook was off."
    )
    attempts: int = Field(ge=0, description="How often it was tried.")
    response_status: int | None = Field(description="The HTTP status of the last answer. Null without an answer.")
    milliseconds: int = Field(ge=0, description="How long the last attempt took.")
    response: str = Field(description="The start of the last answer, or why there was none.")
    tried_at: Time = Field(description="When it was last tried, in UTC.")


class QueuedModel(Shape):
    """A delivery that is under way."""

    id: DeliveryId
    status: Literal["queued"] = Field(description="It is sent within seconds.")
