"""The policy decision point: pure functions from facts and a table to a decision."""

from gateway.decision.decide import PERMITTED, Decision, Step, decide, explain, place_of
from gateway.decision.evidence import DEFAULT_RULES, ClientEvidence, Mode, Rule, Rules, Signal
from gateway.decision.facts import SAFE_METHODS, Agent, Connection, Facts, Hello, PageOrigin
from gateway.decision.paths import PathPattern, PatternError
from gateway.decision.places import OWN_PREFIX, Place
from gateway.decision.reasons import ATTEMPTS, NOT_FOR_YOU, REASONS, Kind, Mender, Reason, Severity
from gateway.decision.snapshot import Located, Snapshot

__all__ = [
    "ATTEMPTS", "DEFAULT_RULES", "NOT_FOR_YOU", "OWN_PREFIX", "PERMITTED", "REASONS", "SAFE_METHODS", "Agent", "ClientEvidence", "Connection", "Decision", "Facts", "Hello",
    "Kind", "Located", "Mender", "Mode", "PageOrigin", "PathPattern", "PatternError", "Place", "Reason", "Rule", "Rules", "Severity",
    "Signal",
    "Snapshot", "Step", "decide", "explain", "place_of",
]  # fmt: skip
