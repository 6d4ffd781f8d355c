"""The policy enforcement point: gathers facts, asks for the decision, carries out its obligations, forwards and streams."""
