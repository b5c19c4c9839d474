"""Scoring of the personality test: answers -> mode profile -> identity profile.

    strength[m] = clamp(sum of chosen weights for m / sum of the most that m could have got, -1, 1)

Core modes are the two strongest at or above the dominance threshold; an acting mode that no answer speaks for is suppressed.
The same answers give the same profile. Source: docs/api.md, "Endpoints"; the rules are C.
"""

from collections.abc import Mapping

from identity_engine.config import CONFIG, Config
from identity_engine.questions import QUESTIONS, VERSIONS, Question
from identity_engine.values import Profile, Vector
from identity_engine.vocabulary import ASSERTION, EXPLORATION, IDENTITY, ORDER, STRESS_RESPONSE


def question_ids(version: str) -> list[str]:
    """Ids of the questions that `version` ("v1", "v2" or "v3") asks, in order. KeyError for another version."""
    return [f"q{number}" for number in range(1, VERSIONS[version] + 1)]


def options(question: Question, question_id: str) -> dict[str, str]:
    """Option ids ("q1_a", ...) and their texts."""
    return {f"{question_id}_{letter}": text for letter, (text, _) in zip("abcdef", question.options, strict=False)}


def score(version: str, answers: Mapping[str, str]) -> Vector:
    """Mode profile, each strength in -1..1, of complete answers {question id: option id}. KeyError on an unknown id."""
    got, most = [0.0] * 7, [0.0] * 7
    for question_id, question in zip(question_ids(version), QUESTIONS, strict=False):
        chosen = list(options(question, question_id)).index(answers[question_id])
        for mode, weight in question.options[chosen][1].items():
            got[mode] += weight
        for mode in range(7):
            most[mode] += max([0.0, *(weights.get(mode, 0.0) for _, weights in question.options)])
    return tuple([min(max(g / m, -1.0), 1.0) for g, m in zip(got, most, strict=True)])


def profile_of(strengths: Vector, config: Config = CONFIG) -> Profile:
    """The identity profile that a mode profile speaks for."""
    ranked = sorted(range(STRESS_RESPONSE), key=lambda mode: -strengths[mode])
    core = tuple(sorted(m for m in ranked[:2] if strengths[m] >= config.dominant_at))
    suppressed = tuple(m for m in range(STRESS_RESPONSE) if strengths[m] <= 0)
    bold = strengths[EXPLORATION] + strengths[ASSERTION] - strengths[ORDER] - strengths[IDENTITY]
    posture = "seeking" if bold >= 0.5 else "moderate" if bold > -0.25 else "bounded" if bold > -0.6 else "averse"
    strain = strengths[STRESS_RESPONSE]
    tolerance = "fragile" if strain >= 0.5 else "resilient" if strain <= -0.1 else "normal"
    return Profile(core, suppressed, posture, stress_tolerance=tolerance)


def starting_strengths(strengths: Vector) -> Vector:
    """What a tested agent starts with: its mode profile, with stress_response at rest."""
    return (*strengths[:STRESS_RESPONSE], 0.0)
