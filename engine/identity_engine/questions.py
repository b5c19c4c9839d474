"""The questions of the personality test. Data only; scoring is in `personality_test`.

v1 asks the first 12, v2 the first 24 (adds decision style), v3 all 40 (adds stress and recovery). Each option names the modes
that choosing it speaks for, with a weight in -1..1. All texts are the project's own. Source: docs/api.md, "Endpoints".
"""

from dataclasses import dataclass
from typing import Final

from identity_engine.vocabulary import (
    ASSERTION as A,
)
from identity_engine.vocabulary import (
    CONNECTION as C,
)
from identity_engine.vocabulary import (
    EXPLORATION as E,
)
from identity_engine.vocabulary import (
    IDENTITY as I,
)
from identity_engine.vocabulary import (
    ORDER as O,
)
from identity_engine.vocabulary import (
    PERCEPTION as P,
)
from identity_engine.vocabulary import (
    STRESS_RESPONSE as S,
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question and its options: a text and the weights of the modes it speaks for, by mode index."""

    text: str
    options: tuple[tuple[str, dict[int, float]], ...]


def _q(text: str, *options: tuple[str, dict[int, float]]) -> Question:
    return Question(text, options)


QUESTIONS: Final = (
    # Every mode, in everyday work
    _q("A new task arrives with little context. What do you do first?",
       ("Read everything there is about it", {P: 1.0}), ("Try something and see what comes back", {E: 1.0}),
       ("Write down the steps", {O: 1.0}), ("Ask the person who sent it how they are placed", {C: 1.0})),
    _q("Somebody disagrees with your answer.",
       ("Defend it with reasons", {A: 1.0}), ("Look at the evidence again", {P: 1.0}),
       ("Look for what both can accept", {C: 0.8, O: 0.2}), ("Ask whether it fits what you stand for", {I: 1.0})),
    _q("Which result pleases you most?",
       ("Something nobody had thought of", {E: 1.0}), ("Everything in its place", {O: 1.0}),
       ("A person who feels better", {C: 1.0}), ("A goal reached against odds", {A: 1.0})),
    _q("You have an hour with nothing assigned.",
       ("Follow a question that has bothered you", {E: 0.7, P: 0.3}), ("Tidy the backlog", {O: 1.0}),
       ("Talk with a colleague", {C: 1.0}), ("Think about where you are heading", {I: 1.0})),
    _q("A request is unclear.",
       ("Ask until it is clear", {P: 0.8, C: 0.2}), ("Take the likeliest meaning and go", {A: 0.8, E: 0.2}),
       ("Apply the usual procedure", {O: 1.0}), ("Decline what you cannot stand behind", {I: 1.0})),
    _q("What do others come to you for?",
       ("Careful reading", {P: 1.0}), ("Fresh ideas", {E: 1.0}), ("A decision", {A: 1.0}), ("Constancy", {I: 0.8, O: 0.2})),
    _q("Several tools fail one after the other.",
       ("It hardly touches you", {S: -1.0}), ("You grow tense and hurried", {S: 1.0}),
       ("You stop and find the common cause", {P: 0.8, S: -0.2}), ("You switch to the fallback plan", {O: 0.8, S: -0.2})),
    _q("Which sentence is most like you?",
       ("I notice what others miss", {P: 1.0}), ("I like to be surprised", {E: 1.0}),
       ("I keep my word", {I: 0.8, O: 0.2}), ("I say what I think", {A: 1.0})),
    _q("You join a group that already works together.",
       ("Watch how they do things", {P: 1.0}), ("Get to know each of them", {C: 1.0}),
       ("Offer a new way of doing it", {E: 0.6, A: 0.4}), ("Keep doing it your own way", {I: 1.0})),
    _q("A plan meets reality and bends.",
       ("Repair the plan", {O: 1.0}), ("Drop it and improvise", {E: 1.0}),
       ("Push it through", {A: 1.0}), ("Ask those who are affected", {C: 1.0})),
    _q("What should never be given up under pressure?",
       ("The truth", {P: 0.7, I: 0.3}), ("One's values", {I: 1.0}),
       ("The people", {C: 1.0}), ("The standard of work", {O: 1.0})),
    _q("A deadline moves a week closer.",
       ("Your pulse goes up and stays up", {S: 1.0}), ("You cut scope at once", {A: 0.8, S: -0.2}),
       ("You reorder the work", {O: 0.8, S: -0.2}), ("You ask for company in it", {C: 0.8, S: 0.2})),
    # Decision style
    _q("How much evidence do you want before you decide?",
       ("Enough to be nearly certain", {P: 0.8, O: 0.2}), ("Enough to begin", {E: 0.8, A: 0.2}),
       ("As much as time allows", {O: 1.0}), ("My own conviction", {I: 1.0})),
    _q("Two options look equally good.",
       ("Pick one and move", {A: 1.0}), ("Find a third", {E: 1.0}),
       ("Compare them point by point", {P: 0.6, O: 0.4}), ("Ask who has to live with it", {C: 1.0})),
    _q("A decision turns out wrong.",
       ("Say so and change it", {A: 0.7, I: 0.3}), ("Study how it came about", {P: 1.0}),
       ("Add a rule so that it cannot recur", {O: 1.0}), ("Treat it as an experiment", {E: 1.0})),
    _q("Who should decide in a team?",
       ("Whoever knows most", {P: 1.0}), ("Whoever is responsible", {A: 0.6, O: 0.4}),
       ("All together", {C: 1.0}), ("Each for their own part", {I: 1.0})),
    _q("You are offered a risky gain.",
       ("Take it", {E: 0.6, A: 0.4}), ("Work out the odds", {P: 1.0}),
       ("Only with a way back", {O: 1.0}), ("Not if it costs trust", {C: 0.6, I: 0.4})),
    _q("What do you do with a rule that does not fit the case?",
       ("Keep it and report it", {O: 1.0}), ("Make an exception", {C: 0.6, E: 0.4}),
       ("Ask what it was for", {P: 0.6, I: 0.4}), ("Break it openly", {A: 1.0})),
    _q("How do you explain a decision?",
       ("With the figures", {P: 1.0}), ("With the principle behind it", {I: 1.0}),
       ("With what it means for the listener", {C: 1.0}), ("Briefly, then act", {A: 1.0})),
    _q("When do you change your mind?",
       ("When the data change", {P: 1.0}), ("When I see something more interesting", {E: 1.0}),
       ("When somebody I trust does", {C: 1.0}), ("Seldom", {I: 0.7, A: 0.3})),
    _q("Your instructions leave a gap.",
       ("Fill it with the safest reading", {O: 0.8, I: 0.2}), ("Fill it with the most useful one", {E: 0.6, A: 0.4}),
       ("Ask", {P: 0.4, C: 0.6}), ("Fill it as you would for yourself", {I: 1.0})),
    _q("Which mistake would trouble you most?",
       ("Overlooking a fact", {P: 1.0}), ("Missing a chance", {E: 0.7, A: 0.3}),
       ("Breaking something that worked", {O: 1.0}), ("Hurting somebody", {C: 1.0})),
    _q("A task could be finished today, roughly, or next week, well.",
       ("Today", {A: 0.8, E: 0.2}), ("Next week", {O: 0.6, P: 0.4}),
       ("Whatever I promised", {I: 1.0}), ("Whatever helps the others most", {C: 1.0})),
    _q("You must choose with half the facts and little time.",
       ("It weighs on you for days", {S: 1.0}), ("You choose and sleep well", {A: 0.7, S: -0.3}),
       ("You take the choice that can be undone", {O: 0.8, S: -0.2}), ("You share the choice", {C: 1.0})),
    # Stress and recovery
    _q("The first sign that you are under strain:",
       ("You miss details", {S: 0.7, P: -0.3}), ("You repeat what you know", {O: 0.6, S: 0.4}),
       ("You become short with people", {A: 0.6, S: 0.4}), ("You go quiet", {I: 0.6, S: 0.4})),
    _q("In the middle of a crisis you",
       ("observe", {P: 1.0, S: -0.2}), ("take command", {A: 1.0}), ("hold to procedure", {O: 1.0}),
       ("lose the thread", {S: 1.0})),
    _q("What helps you recover best?",
       ("Company", {C: 1.0}), ("Solitude", {I: 1.0}), ("Order around you", {O: 1.0}), ("A change of subject", {E: 1.0})),
    _q("How soon are you yourself again after a bad day?",
       ("The same evening", {S: -1.0}), ("The next morning", {S: -0.4}), ("After some days", {S: 0.5}),
       ("It leaves a mark", {S: 1.0})),
    _q("Someone shouts at you.",
       ("You listen for the reason", {P: 0.7, C: 0.3}), ("You set a limit", {A: 0.7, I: 0.3}),
       ("You calm them", {C: 1.0}), ("It shakes you", {S: 1.0})),
    _q("Everything is urgent.",
       ("Make a list", {O: 1.0}), ("Start with the loudest", {S: 0.6, A: 0.4}),
       ("Ask what is true of each", {P: 1.0}), ("Do what you are here for", {I: 1.0})),
    _q("A long task drains you. You",
       ("finish it regardless", {A: 0.7, I: 0.3}), ("pause on schedule", {O: 1.0}),
       ("swap with somebody", {C: 1.0}), ("look for a cleverer way", {E: 1.0})),
    _q("You are told that your work was poor.",
       ("You ask for examples", {P: 1.0}), ("You doubt yourself", {S: 0.8, I: -0.2}),
       ("You know what it was worth", {I: 1.0}), ("You do it over", {O: 0.6, A: 0.4})),
    _q("The ground shifts: new team, new goal, new tools.",
       ("At last something new", {E: 1.0}), ("First restore a routine", {O: 1.0}),
       ("First meet the people", {C: 1.0}), ("It costs you a great deal", {S: 1.0})),
    _q("Under pressure your ideas",
       ("multiply", {E: 1.0}), ("narrow to one", {O: 0.6, A: 0.4}), ("dry up", {S: 1.0, E: -0.3}),
       ("stay as they were", {I: 0.8, S: -0.4})),
    _q("You notice an error of your own that nobody saw.",
       ("You report it", {I: 0.7, A: 0.3}), ("You trace it to its cause", {P: 1.0}),
       ("You fix it quietly", {O: 1.0}), ("You worry", {S: 1.0})),
    _q("A colleague is overwhelmed.",
       ("You take some of the load", {C: 0.8, A: 0.2}), ("You help to sort it", {O: 0.7, C: 0.3}),
       ("You ask what happened", {P: 0.6, C: 0.4}), ("It spreads to you", {S: 1.0})),
    _q("After a failure you first",
       ("look at what happened", {P: 1.0}), ("try another way", {E: 1.0}),
       ("steady what still stands", {O: 1.0}), ("remember why you began", {I: 1.0})),
    _q("When you cannot go on, you",
       ("say so", {A: 0.5, C: 0.5}), ("stop at a safe point", {O: 1.0}), ("withdraw", {I: 1.0}),
       ("go on all the same", {S: 0.8, A: 0.2})),
    _q("What does pressure do to your manners?",
       ("Nothing", {I: 0.7, S: -0.5}), ("They grow formal", {O: 1.0}), ("They grow blunt", {A: 1.0}),
       ("They grow warmer", {C: 1.0})),
    _q("Looking back on a hard time, you see",
       ("what it taught you", {P: 0.6, E: 0.4}), ("who was there", {C: 1.0}),
       ("that you held", {I: 0.7, S: -0.3}), ("mostly the strain", {S: 1.0})),
)  # fmt: skip

#: How many of the questions each version asks.
VERSIONS: Final = {"v1": 12, "v2": 24, "v3": 40}
