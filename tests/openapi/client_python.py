"""Drives a server with the client that openapi-python-client made of docs/openapi.json: `client_python.py URL`."""

import os
import sys
from datetime import UTC, datetime
from http import HTTPStatus

from identity_os_client import AuthenticatedClient
from identity_os_client.api.engine import (
    get_contract,
    get_history,
    get_snapshot,
    get_timeline,
    list_audit_records,
    process_batch,
    process_observation,
    reset_instance,
    simulate_observations,
    verify_audit_trail,
)
from identity_os_client.api.instances import create_instance, delete_instance, get_instance, list_instances, update_instance
from identity_os_client.api.personas import list_personas
from identity_os_client.api.testing import get_test_questions, submit_test
from identity_os_client.models import (
    Action,
    BatchFinal,
    BatchRequest,
    BatchStates,
    ErrorDetailsReason,
    ErrorResponse,
    ErrorResponseError,
    InstanceRequest,
    InstanceUpdateRequest,
    Mode,
    ObservationRequest,
    ProcessedModel,
    ResetMode,
    ResetRequest,
    ResponseRequest,
    Severity,
    StressState,
    TestRequest,
    TestVersion,
)

client = AuthenticatedClient(base_url=sys.argv[1], token=os.environ["IDENTITY_OS_API_KEY"])

created = create_instance.sync(client=client, body=InstanceRequest(name="Generated", description=None, initial_config=None))
one = created.data.id
assert created.data.created_at.tzinfo is not None
assert update_instance.sync(one, client=client, body=InstanceUpdateRequest(description="by a client")).data.name == "Generated"
assert one in [row.id for row in list_instances.sync(client=client, limit=100).data]

at = datetime(2026, 3, 24, 10, 15, 30, tzinfo=UTC)
observation = ObservationRequest(mode_target=Mode.EXPLORATION, signal_strength=0.8, timestamp=at)
processed = process_observation.sync(one, client=client, body=observation)
assert processed.data.snapshot.cycle == 1
assert processed.data.snapshot.mode_strengths["EXPLORATION"] > 0
assert Action.EXPLORE in processed.data.contract.allowed_actions

failure = ObservationRequest(Mode.STRESS_RESPONSE, 0.9, confidence=None, severity=None, context=None, timestamp=None)
final = process_batch.sync(one, client=client, body=BatchRequest([failure, failure]))
assert isinstance(final.data, BatchFinal)
assert (final.data.processed_count, final.data.snapshot.stress_state) == (2, StressState.HIGH)
states = process_batch.sync(one, client=client, body=BatchRequest([failure, observation], include_intermediate=True))
assert isinstance(states.data, BatchStates)
assert len(states.data.states) == 2

incident = ObservationRequest(Mode.STRESS_RESPONSE, 0.1, severity=Severity.INCIDENT)
assert isinstance(simulate_observations.sync(one, client=client, body=incident).data, ProcessedModel)
simulated = simulate_observations.sync(one, client=client, body=BatchRequest([incident, incident])).data
assert isinstance(simulated, BatchFinal)
assert simulated.processed_count == 2

contract = get_contract.sync(one, client=client, explain=True).data
assert Action.EXECUTE not in contract.allowed_actions
assert len(contract.explanation) == 14
assert get_snapshot.sync(one, client=client).data.memory.episodic.stress_spike_count == 1
history = get_history.sync(one, client=client)
assert history.pagination.total == 5
assert history.data[-1].timestamp == at
timeline = get_timeline.sync(one, client=client, limit=2, before=3)
assert [row.seq for row in timeline.data] == [2, 1]
records = list_audit_records.sync(one, client=client).data
assert [record.kind.value for record in records] == ["created", *["observations"] * 3]
assert verify_audit_trail.sync(one, client=client).data.verified is True
assert reset_instance.sync(one, client=client, body=ResetRequest(ResetMode.LAST_STABLE)).data.stress_state is StressState.LOW

questions = get_test_questions.sync(client=client).data.questions
answers = [ResponseRequest(question.id, question.options[0].id) for question in questions]
test = TestRequest(version=TestVersion.V1, responses=answers, create_instance=True, instance_name="Tested")
tested = submit_test.sync(client=client, body=test).data
assert len(tested.matched_personas) == 3
assert len(list_personas.sync(client=client).data) == 12

refused = process_observation.sync(one, client=client, body=ObservationRequest(Mode.ORDER, 1.5))
assert isinstance(refused, ErrorResponse)
assert refused.error is ErrorResponseError.INVALID_REQUEST
assert refused.details.reason is ErrorDetailsReason.OUT_OF_RANGE
for each in (one, tested.instance_id):
    assert delete_instance.sync(each, client=client).data.deleted is True
gone = get_instance.sync_detailed(one, client=client)
assert gone.status_code is HTTPStatus.NOT_FOUND
assert gone.parsed.error is ErrorResponseError.NOT_FOUND
