"""The API under random faults, compared with a model in plain Python: a 2xx happened exactly once, anything else not at all.

A step is one request with a schedule of faults. With an Idempotency-Key it is retried (with faults, then without) until it
succeeds; without a key it is sent once and its effect is read. After each step the API's state must equal the model's, and
delayed database calls that arrive later must not change that.
"""

import json
import logging
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from uuid import UUID

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from identity_engine import MODE_CONSTANTS
from identity_service import clock, limits
from identity_service.cycles import snapshot_response
from identity_service.engines import NEWEST, engine
from identity_service.store import dynamodb as store_client
from identity_service.store import reconcile, retry, usage
from local import dynamodb, stream
from local.edge import Edge
from tests.conftest import Caller, Clock
from tests.faults.client import KINDS, FaultyClient, InOrder, Killed

#: Half a minute before the end of a month: slow responses carry requests over the end of both windows.
MONTHS_END = 1_775_001_570.0  # 2026-03-31T23:59:30Z

#: A different body for a used key.
OTHER = {"mode_target": "ORDER", "signal_strength": 0.123456}

figures = Counter()

#: Random faults, or the worst case: the commit (about the third call) takes effect without a response, then another fault.
schedules = st.dictionaries(st.integers(1, 9), st.sampled_from(KINDS), min_size=1, max_size=4) | st.builds(
    lambda call, unseen, worse: {call: unseen} | ({call + 1: worse} if worse else {}),
    st.integers(2, 4),
    st.sampled_from([kind for kind in KINDS if "after" in kind or "late" in kind]),
    st.sampled_from(["", "outage", "silent before", "killed before", "conflict"]),
)
observations = st.fixed_dictionaries(
    {
        "mode_target": st.sampled_from(MODE_CONSTANTS),
        "signal_strength": st.floats(0, 1),
        "confidence": st.floats(0, 1),
        "context": st.dictionaries(st.text(max_size=3), st.none() | st.integers() | st.text(max_size=5), max_size=2),
    }
)
plans = st.fixed_dictionaries(
    {"keyed": st.booleans(), "count_first": st.booleans(), "faults": st.lists(schedules, min_size=1, max_size=3)}
)


OLDER = "1.0.0"


@dataclass
class Agent:
    """The model's state of an instance: what happened to it in its life, and the state that its engine makes of that."""

    id: str
    name: str
    version: str = NEWEST
    state: str = ""
    life: list = field(default_factory=list)
    observed: list = field(default_factory=list)
    records: int = 1

    def live(self, kind, value):
        """Let something happen: born, reports, reset, upgrade. The steps of reports."""
        steps = []
        self.life.append((kind, value))
        if kind == "upgrade":
            migrated = self.version in engine(value).MIGRATES
            self.state = engine(value).migrate(json.loads(self.state)) if migrated else rerun(self.life, value)
            self.version = value
        else:
            self.state, steps = lived(self.state, kind, value, engine(self.version))
        if kind == "reports":
            self.observed += value
        return steps

    @property
    def cycle(self):
        return json.loads(self.state)["cycle"]

    def forked(self, at_cycle):
        """The agent that a fork at a cycle, 1 or more, is."""
        fork = Agent("", "")
        seq = len(self.observed) - self.cycle + at_cycle
        for kind, value in self.life:
            fork.version = value[1] if kind == "born" else fork.version
            rows = value[: seq - len(fork.observed)] if kind == "reports" else value
            fork.live(kind, rows)
            if len(fork.observed) == seq:
                return fork
        raise AssertionError


def lived(state, kind, value, version):
    """The state after something happened, under a version, and the steps of reports."""
    if kind == "born":
        return version.birth({}, [0.0] * 7, value[0]), []
    if kind == "reset":
        return version.reset(json.loads(state), value), []
    done = version.process(json.loads(state), value, snapshots="every", contracts="every")
    return done["state"], done["steps"]


def rerun(life, version):
    """The state that another version would have made of a life."""
    state = ""
    for kind, value in life:
        if kind != "upgrade":
            state, _ = lived(state, kind, value, engine(version))
    return state


class World:
    """One table, a faulty client, a stopped clock; shared by all runs."""

    def __init__(self):
        self.client = FaultyClient(store_client.client(), Clock())
        self.unknown = 0
        self.edge = Edge()

    def heard(self, record):
        self.unknown += "outcome of a cycle unknown" in record.getMessage()
        return False  # expected errors are not printed


world = None


@contextmanager
def running(kind="embedded"):
    """Replaces client, clock, thread and stream with the test world while the block runs."""
    global world
    with dynamodb.running(kind):
        world = World()
        originals = store_client.client, clock.time, limits._executor, retry.pause, stream.handler
        store_client.client = lambda: world.client
        clock.time = SimpleNamespace(time=world.client.clock)
        retry.pause = lambda attempt: None
        stream.handler = lambda *_: {"batchItemFailures": []}  # the purge has its own tests, and would make runs irreproducible
        logging.getLogger("identity-os").addFilter(world.heard)
        try:
            yield world
        finally:
            logging.getLogger("identity-os").removeFilter(world.heard)
            store_client.client, clock.time, limits._executor, retry.pause, stream.handler = originals


class Faults(RuleBasedStateMachine):
    """The state machine: one account and its requests."""

    def __init__(self):
        super().__init__()
        world.client.settle()
        world.client.clock.time = MONTHS_END
        self.caller = Caller(world.edge, "enterprise")
        self.caller.get("/instances")  # the edge caches the key from here on
        self.agents, self.deleted = {}, []
        self.processed = Counter()
        self.keys = 0
        self.touched = None

    # Rules.

    @initialize()
    def begin(self):
        self.create("Aria", 0.8, OLDER, {"keyed": True, "count_first": True, "faults": []})

    @rule(name=st.sampled_from(["Aria", "Bo"]), energy=st.floats(0, 1), version=st.sampled_from([OLDER, NEWEST]), plan=plans)
    def create(self, name, energy, version, plan):
        if len(self.agents) >= 3:
            return
        body = {"name": name, "initial_config": {"energy_level": energy, "engine_version": version}}

        def effect(data):
            self.touched = self.agents[data["id"]] = Agent(data["id"], name, version)
            self.touched.live("born", (energy, version))
            assert data["name"] == name

        known = set(self.agents)
        if not self.step("POST", "/instances", body, plan, effect):
            rows = self.caller.get("/instances").json()["data"]
            for row in rows:
                if row["id"] not in known:  # without a response and without a key, a caller can only read the state
                    effect(row)

    @precondition(lambda self: self.agents)
    @rule(data=st.data(), observation=observations, plan=plans)
    def process(self, data, observation, plan):
        self.observe(self.some(data), "process", observation, [observation], plan)

    @precondition(lambda self: self.agents)
    @rule(data=st.data(), batch=st.lists(observations, min_size=1, max_size=5), every=st.booleans(), plan=plans)
    def process_batch(self, data, batch, every, plan):
        body = {"observations": batch, "include_intermediate": every}
        self.observe(self.some(data), "process/batch", body, batch, plan)

    def observe(self, agent, path, body, batch, plan):
        def effect(answer):
            steps = agent.live("reports", batch)
            agent.records += 1
            self.processed[self.month] += len(batch)
            if answer is not None:
                states = answer.get("states", [answer])
                for seen, step in zip(reversed(states), reversed(steps), strict=False):
                    assert seen["snapshot"] == plain(snapshot_response(agent.id, step["snapshot"]))
                    assert seen["contract"] == plain(step["contract"])
                    assert seen["drift"] == plain(step["drift"])

        before = world.unknown
        if not self.step("POST", f"/instances/{agent.id}/{path}", body, plan, effect):
            if self.total(agent) > len(agent.observed):
                assert self.killed or world.unknown > before, "a response reported no change, but there was one"
                effect(None)
            assert self.total(agent) == len(agent.observed), "a request was processed twice"

    @precondition(lambda self: self.agents)
    @rule(data=st.data(), mode=st.sampled_from(["initial", "last_stable", "default"]), plan=plans)
    def reset(self, data, mode, plan):
        agent = self.some(data)

        def effect(answer):
            agent.live("reset", mode)
            agent.records += 1
            if answer is not None:
                assert (answer["reset_to"], answer["cycle"]) == (mode, agent.cycle)

        self.decide(agent, "reset", {"mode": mode}, plan, effect)

    def upgrade(self, agent, data, plan):
        to = OLDER if agent.version == NEWEST else NEWEST

        def effect(answer):
            agent.live("upgrade", to)
            agent.records += 1
            if answer is not None:
                assert answer["contract"] == plain(engine(to).contract(json.loads(agent.state)))

        body = {"engine_version": to, "preview": False, "force": True, "note": "tried"}
        self.decide(agent, "upgrade", body, plan, effect)

    def decide(self, agent, path, body, plan, effect):
        if not self.step("POST", f"/instances/{agent.id}/{path}", body, plan, effect):
            trail = self.caller.get(f"/instances/{agent.id}/audit").json()["pagination"]["total"]
            if trail > agent.records:
                effect(None)

    def fork(self, agent, data, plan):
        if not agent.cycle or len(self.agents) >= 3:
            return
        name = data.draw(st.sampled_from(["Aria", "Bo"]))
        at_cycle = data.draw(st.integers(1, agent.cycle))

        def effect(answer):
            fork = agent.forked(at_cycle)
            fork.id, fork.name = answer["id"], name
            fork.records = self.caller.get(f"/instances/{fork.id}/audit").json()["pagination"]["total"]
            self.touched = self.agents[fork.id] = fork
            self.processed[self.month] += len(fork.observed)

        known = set(self.agents)
        if not self.step("POST", f"/instances/{agent.id}/fork", {"at_cycle": at_cycle, "name": name}, plan, effect):
            for row in self.caller.get("/instances").json()["data"]:
                if row["id"] not in known:
                    effect(row)

    @precondition(lambda self: self.agents)
    @rule(data=st.data(), what=st.sampled_from(["rename", "delete", "simulate", "read", "upgrade", "fork"]), plan=plans)
    def other(self, data, what, plan):
        getattr(self, what)(self.some(data), data, plan)

    def rename(self, agent, data, plan):
        name = data.draw(st.sampled_from(["Cy", "Di"]))

        def effect(answer):
            agent.name = name

        if not self.step("PATCH", f"/instances/{agent.id}", {"name": name}, plan | {"keyed": False}, effect):
            agent.name = self.caller.get(f"/instances/{agent.id}").json()["data"]["name"]
            assert agent.name in ("Aria", "Bo", "Cy", "Di")

    def delete(self, agent, data, plan):
        def effect(answer):
            del self.agents[agent.id]
            self.deleted.append(agent.id)
            self.touched = None

        done = self.step("DELETE", f"/instances/{agent.id}", None, plan | {"keyed": False}, effect)
        if not done and self.caller.get(f"/instances/{agent.id}").status_code == 404:
            effect(None)

    def simulate(self, agent, data, plan):
        observation = data.draw(observations)

        def effect(answer):
            _, (step,) = lived(agent.state, "reports", [observation], engine(agent.version))
            assert answer["snapshot"] == plain(snapshot_response(agent.id, step["snapshot"]))

        self.step("POST", f"/instances/{agent.id}/simulate", observation, plan, effect)

    def read(self, agent, data, plan):
        path = data.draw(st.sampled_from(["", "/snapshot", "/history", "/audit", "/audit/verify", "/contract?cycle=0"]))
        self.step("GET", f"/instances/{agent.id}{path}", None, plan | {"keyed": False}, lambda answer: None)

    # Requests.

    def some(self, data):
        # In the order in which they were made: their ids are random, and what is drawn next depends on the agent.
        self.touched = self.agents[data.draw(st.sampled_from(list(self.agents)))]
        return self.touched

    def step(self, method, path, body, plan, effect):
        """Send a request as planned. True if it succeeded in the end; then `effect` was called once."""
        figures["steps"] += 1
        self.killed = False
        limits._executor = InOrder(plan["count_first"])
        self.keys += 1
        headers = {"Idempotency-Key": str(UUID(int=self.keys))} if plan["keyed"] else {}
        # Without a key it is sent once; with a key it is retried, the last time without faults.
        tries = [*plan["faults"], {}] if plan["keyed"] else plan["faults"][:1]
        months = set()
        for schedule in tries:
            months.add(usage.windows(world.client.clock.time).month)
            self.month = max(months)
            response = self.attempt(method, path, body, headers, schedule)
            if response is not None and response.status_code < 300:
                break
        world.client.arm({})
        if response is None or response.status_code >= 300:
            world.client.settle()
            assert not plan["keyed"], f"after all faults were over: {response.status_code} {response.text}"
            return False
        if "idempotent-replayed" in response.headers:
            figures["replayed responses"] += 1
        data = response.json()["data"]
        effect(data)
        if plan["keyed"]:
            again = self.attempt(method, path, body, headers, {})
            assert (again.status_code, again.content) == (response.status_code, response.content)
            assert again.headers["idempotent-replayed"] == "true"
            other = self.attempt(method, path, body | {"name": "Eve"} if "name" in body else OTHER, headers, {})
            assert other.status_code == (409 if "name" in body or path.endswith(("/process", "/simulate")) else 400), other.text
        return True

    def attempt(self, method, path, body, headers, schedule):
        """The response; None when the process was killed first."""
        figures["requests"] += 1
        figures["fault schedules"] += bool(schedule)
        world.client.arm(schedule)
        arguments = {} if body is None else {"json": body}
        try:
            response = self.caller.client.request(method, path, headers=headers, **arguments)
        except Killed:
            self.killed = True
            return None
        if response.status_code >= 300:
            assert set(response.json()) >= {"error", "message", "details"}, response.text
            assert response.status_code in (400, 404, 409, 503), (response.status_code, response.text)
        figures[f"answered {response.status_code}"] += 1
        return response

    # Invariants.

    def total(self, agent):
        return self.caller.get(f"/instances/{agent.id}/history").json()["pagination"]["total"]

    @invariant()
    def touched_instance_equals_the_model(self):
        if self.touched:
            self.check(self.touched)

    def check(self, agent):
        at = f"/instances/{agent.id}"
        seen = self.caller.get(f"{at}/snapshot").json()["data"]
        for name, value in plain(snapshot_response(agent.id, engine(agent.version).snapshot(json.loads(agent.state)))).items():
            assert seen[name] == value, name
        history = self.caller.get(f"{at}/history?limit=1000").json()
        figures["lost"] += max(len(agent.observed) - history["pagination"]["total"], 0)
        figures["doubled"] += max(history["pagination"]["total"] - len(agent.observed), 0)
        assert [row["seq"] for row in history["data"]] == list(range(len(agent.observed), 0, -1))
        for row, given in zip(reversed(history["data"]), agent.observed, strict=True):
            assert {name: row[name] for name in given} == given
        verdict = self.caller.get(f"{at}/audit/verify").json()["data"]
        assert (verdict["verified"], verdict["records"]) == (True, agent.records), verdict
        assert self.caller.get(at).json()["data"]["name"] == agent.name

    def teardown(self):
        """Check all agents and all counts."""
        world.client.settle()
        for agent in self.agents.values():
            self.check(agent)
        never = self.caller.get("/instances/inst_0000000000000000")
        for instance_id in self.deleted:
            assert self.caller.get(f"/instances/{instance_id}").content == never.content
        listed = self.caller.get("/instances?limit=100").json()
        assert {row["id"] for row in listed["data"]} == set(self.agents)
        assert listed["pagination"]["total"] == len(self.agents), "the account's count of instances is off"
        for month in ("c202603", "c202604"):
            at = SimpleNamespace(month=month)
            counted = usage.reserved(self.caller.account_id, at).counted
            known = self.processed[month]
            figures["cycles"] += known
            if month == usage.windows(world.client.clock.time).month:
                assert counted >= known, "a cycle was processed and not counted"
                finding = reconcile.find([self.caller.account_id], at, lambda: None)[0]
                assert finding.processed == known
                figures["cycles given back by usage check"] += finding.lost
                reconcile.repair(finding, at)
                assert usage.reserved(self.caller.account_id, at).counted == known, (
                    "the count differs from the processed cycles"
                )
        figures["runs"] += 1


def plain(value):
    """The value after a JSON round trip."""
    return json.loads(json.dumps(value))


def play(runs, seed=None):
    """Run the machine without shrinking: the failing schedule is printed, and it is short."""
    phases = (Phase.explicit, Phase.generate)
    checks = list(HealthCheck)
    some = settings(
        max_examples=runs,
        stateful_step_count=10,
        deadline=None,
        derandomize=seed is None,
        phases=phases,
        suppress_health_check=checks,
        database=None,
    )
    chosen = Faults if seed is None else hypothesis.seed(seed)(Faults)
    run_state_machine_as_test(chosen, settings=some)
