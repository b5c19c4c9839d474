"""The personality test and the personas."""

from typing import Literal

from pydantic import Field

from identity_service.response_models.contract import ContractModel
from identity_service.response_models.snapshot import SnapshotModel
from identity_service.response_models.words import Action, ByMode, InstanceId, ModeTitle, PersonaId, Shape, Unit


class Option(Shape):
    """An answer option."""

    id: str = Field(description="The id of the option, such as q1_a.")
    text: str = Field(description="What the agent would say by choosing it.")


class QuestionModel(Shape):
    """A question and its options."""

    id: str = Field(description="The id of the question, such as q1.")
    text: str = Field(description="The question.")
    options: list[Option] = Field(description="Its options; one is to be chosen.")


class QuestionsModel(Shape):
    """The questions of one version of the test."""

    version: Literal["v1", "v2", "v3"] = Field(description="The version that was asked for.")
    question_count: int = Field(description="How many questions it has; all must be answered.")
    questions: list[QuestionModel] = Field(description="The questions in order.")


class MatchedPersona(Shape):
    """A persona that matches the test result."""

    id: PersonaId
    name: str = Field(description="Its name.")
    match_score: Unit = Field(description="Cosine of the test's mode profile and the persona's.")


class TestDoneModel(Shape):
    """The result of a submitted test."""

    __test__ = False

    instance_id: InstanceId
    test_completed: Literal[True] = Field(description="Every question was answered.")
    mode_profile: ByMode = Field(description="What the answers say about each mode, -1 to 1.")
    matched_personas: list[MatchedPersona] = Field(description="The three personas most like it, best first.")
    snapshot: SnapshotModel = Field(description="The instance as it starts from the result.")
    contract: ContractModel = Field(description="What it may do now.")


class PersonaModel(Shape):
    """A persona."""

    id: PersonaId
    name: str = Field(description="Its name.")
    archetype: str = Field(description="Its kind in a word.")
    description: str = Field(description="Its character in a sentence.")
    dominant_modes: list[ModeTitle] = Field(description="The two modes that lead.")
    mode_profile: ByMode = Field(description="The strength of each mode that an instance of it starts with, -1 to 1.")
    core_values: list[str] = Field(description="What it holds dear.")
    decision_style: str = Field(description="How it decides.")


class PersonaFull(PersonaModel):
    """A persona in full."""

    long_description: str = Field(description="Its character, and what it suits.")
    preferred_actions: list[Action] = Field(description="The actions that come naturally to it.")
    stress_recovery: str = Field(description="How it comes back from stress.")
