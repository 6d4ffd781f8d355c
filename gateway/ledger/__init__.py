"""The security log: lines that are on disk before anything happens (clause T1), chained so that a change is noticed."""
