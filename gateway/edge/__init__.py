"""The front door: sockets, accept, TLS, plain HTTP, the operator's port."""
