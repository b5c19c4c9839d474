"""The use cases around the personality test: its questions and its submission."""

from typing import Any

from identity_engine import (
    PERSONA_BY_ID,
    QUESTIONS,
    VERSIONS,
    edge,
    mode_map,
    options,
    persona_matches,
    profile_of,
    question_ids,
    score,
    starting_strengths,
)
from identity_service import errors
from identity_service.clock import now
from identity_service.cycles import Committed, current_contract, current_snapshot, retest
from identity_service.engines import birth
from identity_service.errors import Problem
from identity_service.http import encode_data
from identity_service.limits import Meter
from identity_service.request_models import TestRequest
from identity_service.store import instances
from identity_service.store.audit_trail import Actor
from identity_service.store.idempotency import IdempotencyRecord
from identity_service.store.instances import Head, LimitReached


def questions_response(version: str) -> dict[str, Any]:
    """The questions of a version with their options, in order."""
    questions = [
        {
            "id": question_id,
            "text": question.text,
            "options": [{"id": option, "text": text} for option, text in options(question, question_id).items()],
        }
        for question_id, question in zip(question_ids(version), QUESTIONS, strict=False)
    ]
    return {"version": version, "question_count": VERSIONS[version], "questions": questions}


def submit_test(meter: Meter, test: TestRequest, idempotency: IdempotencyRecord | None) -> Committed:
    """Score a test and give its profile to an existing or new instance. ApiError 400 when answers are missing or invalid."""
    _check_target(test)
    answers = _answers(test)
    mode_profile = score(test.version, answers)
    profile, strengths = profile_of(mode_profile), starting_strengths(mode_profile)

    def render(head: Head) -> bytes:
        return encode_data(_result(head, mode_map(mode_profile), persona_matches(mode_profile)[:3]))

    if not test.create_instance:
        return retest(meter, test.instance_id, profile, strengths, render, idempotency)
    meter.count_while(idempotency.check if idempotency else lambda: None)
    principal, born = meter.principal, birth(profile, strengths)
    new = instances.new(principal.account_id, test.instance_name, "", born, now(), Actor(principal.key_id))
    body = render(new.head)
    try:
        instances.create(new, principal.instances, idempotency, body, 200)
    except LimitReached:
        raise errors.instance_limit_reached(principal.instances or 0) from None
    return Committed(body, new.head.digest)


def _result(head: Head, mode_profile: dict[str, float], matches: list[tuple[str, float]]) -> dict[str, Any]:
    return {
        "instance_id": head.id,
        "test_completed": True,
        "mode_profile": mode_profile,
        "matched_personas": [
            {"id": name, "name": PERSONA_BY_ID[name].name, "match_score": edge(value)} for name, value in matches
        ],
        "snapshot": current_snapshot(head),
        "contract": current_contract(head),
    }


def _check_target(test: TestRequest) -> None:
    has_id = "instance_id" in test.model_fields_set
    if has_id == test.create_instance:
        reason = "unknown_field" if has_id else "missing"
        raise errors.invalid("instance_id", reason, "send either instance_id or create_instance: true")
    if test.create_instance and not test.instance_name:
        raise errors.invalid("instance_name", "missing", "instance_name is required to create an instance")
    if has_id and "instance_name" in test.model_fields_set:
        raise errors.invalid("instance_name", "unknown_field", "instance_name is only allowed with create_instance")


def _answers(test: TestRequest) -> dict[str, str]:
    expected = question_ids(test.version)
    problems: list[Problem] = []
    answers: dict[str, str] = {}
    for index, response in enumerate(test.responses):
        field = f"responses[{index}]"
        if response.question_id not in expected:
            text = f"{field}.question_id: {test.version} has questions {expected[0]} to {expected[-1]}"
            problems.append(Problem(f"{field}.question_id", "unknown_value", text))
            continue
        question = QUESTIONS[expected.index(response.question_id)]
        if response.selected_option_id not in options(question, response.question_id):
            text = f"{field}.selected_option_id: {response.question_id} has no such option"
            problems.append(Problem(f"{field}.selected_option_id", "unknown_value", text))
        elif response.question_id in answers:
            text = f"{field}.question_id: {response.question_id} is answered twice"
            problems.append(Problem(f"{field}.question_id", "unknown_value", text))
        answers[response.question_id] = response.selected_option_id
    if problems:
        raise errors.invalid_all(problems)
    missing = [question_id for question_id in expected if question_id not in answers]
    if missing:
        raise errors.incomplete_test(missing)
    return answers
