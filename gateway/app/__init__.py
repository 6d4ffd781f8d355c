"""Composition root: the only place that knows all rooms. Owns the order of start and stop.

* `prepared`: settings, keys, TLS contexts and sockets; no thread, event loop or database yet, so that workers can be forked from it;
* `worker`: one worker's parts; `life`: a worker from its start to its end;
* `reloading`: what a reload brings, checked whole; `siblings`: what workers tell each other;
* `serving`: one worker in this process, or several under the `supervisor` (ADR 0012).
"""

from gateway.app.prepared import Prepared, prepare
from gateway.app.serving import serve

__all__ = ["Prepared", "prepare", "serve"]
