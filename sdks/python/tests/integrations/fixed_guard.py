"""A guard whose verdict for each tool is fixed, for tests of what an adapter does with a verdict. It writes down every call."""

from identity_os_sdk.guard import Verdict
from identity_os_sdk.models import Action


class FixedGuard:
    def __init__(self, **kinds):
        self.kinds, self.seen, self.calls, self.annotations, self.broken = kinds, [], {}, {}, ()

    def asynchronous(self):
        return _Awaited(self)

    def before_tool(self, name, args, call_id):
        if call_id not in self.calls:
            self.calls[call_id] = self.verdict(name, self.kinds.get(name, "allow"), call_id, f"{name} is not allowed now")
        return self.calls[call_id]

    def verdict(self, name, kind, call_id, message=""):
        return Verdict(kind, name, Action.EXECUTE, call_id, message, "fixed")

    def after_tool(self, name, call_id, result=None, error=None):
        self.seen.append((name, call_id.split(":")[-1], result if error is None else repr(error)))

    def approve(self, call_id, by):
        assert self.calls[call_id].kind == "pause"
        return self.decided("approve", call_id, by, "allow")

    def refuse(self, call_id, by):
        return self.decided("refuse", call_id, by, "deny", f"{by} refused")

    def decided(self, what, call_id, by, kind, message=""):
        self.seen.append((what, call_id.split(":")[-1], by))
        self.calls[call_id] = self.verdict(self.calls[call_id].tool, kind, call_id, message)
        return self.calls[call_id]

    def annotate(self, name, annotations):
        self.annotations[name] = annotations

    def user_said(self, text):
        self.seen.append(("user", text))

    def agent_said(self, text):
        self.seen.append(("agent", text))

    def handed_over(self, to):
        self.seen.append(("handed over", to))

    def prompt(self):
        if "prompt" in self.broken:
            raise RuntimeError("the guard is broken")
        return "Contract: no refunds."


class _Awaited:
    """The same, to be awaited; as in the real one, what makes no request is not awaited."""

    def __init__(self, guard):
        self.guard = guard
        self.prompt, self.refuse, self.annotate = guard.prompt, guard.refuse, guard.annotate
        for name in ("before_tool", "after_tool", "user_said", "agent_said", "handed_over", "approve"):
            setattr(self, name, self.awaited(name))

    def awaited(self, name):
        async def call(*args, **kwargs):
            if name in self.guard.broken:
                raise RuntimeError("the guard is broken")
            return getattr(self.guard, name)(*args, **kwargs)

        return call
