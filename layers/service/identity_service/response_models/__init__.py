"""Response models for the OpenAPI document. No function imports this package at run time."""

from typing import Any, Generic, Literal, TypeVar

from pydantic import Field

from identity_service.response_models.contract import ContractExplained, GoalModel
from identity_service.response_models.engine import (
    AuditRow,
    BatchFinal,
    BatchStates,
    DriftRow,
    HistoryRow,
    ProcessedModel,
    TimelineRow,
    VerificationModel,
)
from identity_service.response_models.errors import ErrorResponse
from identity_service.response_models.instances import DeletedModel, InstanceModel, InstanceRow, InstanceStanding, ResetModel
from identity_service.response_models.personality import PersonaFull, PersonaModel, QuestionsModel, TestDoneModel
from identity_service.response_models.snapshot import SnapshotStanding
from identity_service.response_models.upgrades import UpgradeDone, UpgradePreview
from identity_service.response_models.webhooks import (
    DeliveryModel,
    QueuedModel,
    WebhookGone,
    WebhookModel,
    WebhookWithSecret,
)
from identity_service.response_models.words import Shape

T = TypeVar("T")


class Data(Shape, Generic[T]):
    """A successful response."""

    data: T = Field(description="What was asked for.")


class Pagination(Shape):
    """The position of the rows in the whole list."""

    limit: int = Field(description="Most rows of a page, as asked for.")
    offset: int = Field(description="Rows before this page.")
    total: int = Field(description="Rows in the whole list.")
    has_more: bool = Field(description="Whether rows follow. The next page begins at offset plus the number of rows here.")


class Rows(Shape, Generic[T]):
    """A page of a list."""

    data: list[T] = Field(description="The rows of this page.")
    pagination: Pagination = Field(description="Where this page stands in the list.")


class HealthModel(Shape):
    """The service is up."""

    status: Literal["ok"] = Field(description="The service is up.")


#: The names by which `openapi.operation` refers to the responses. In a union the narrowest form stands first: readers that try
#: one after the other, as generated clients do, would take a wider one and lose fields.
RESPONSES: dict[str, Any] = {
    "ErrorResponse": ErrorResponse,
    "Instance": Data[InstanceModel],
    "InstanceDetail": Data[InstanceStanding],
    "InstanceRows": Rows[InstanceRow],
    "Deleted": Data[DeletedModel],
    "Processed": Data[ProcessedModel],
    "BatchProcessed": Data[BatchFinal | BatchStates],
    "SnapshotDetail": Data[SnapshotStanding],
    "Simulated": Data[BatchFinal | BatchStates | ProcessedModel],
    "GoalAssessed": Data[GoalModel],
    "Contract": Data[ContractExplained],
    "ResetDone": Data[ResetModel],
    "Upgraded": Data[UpgradePreview | UpgradeDone],
    "HistoryRows": Rows[HistoryRow],
    "TimelineRows": Rows[TimelineRow],
    "DriftRows": Rows[DriftRow],
    "AuditRows": Rows[AuditRow],
    "AuditVerified": Data[VerificationModel],
    "Questions": Data[QuestionsModel],
    "TestDone": Data[TestDoneModel],
    "PersonaRows": Rows[PersonaModel],
    "PersonaDetail": Data[PersonaFull],
    "Webhook": Data[WebhookModel],
    "WebhookMade": Data[WebhookWithSecret],
    "WebhookRows": Rows[WebhookModel],
    "WebhookDeleted": Data[WebhookGone],
    "DeliveryRows": Rows[DeliveryModel],
    "DeliveryQueued": Data[QueuedModel],
    "Health": Data[HealthModel],
}
