//! Whose request is it: JSON-RPC id, method and tool, read out of a body as it flows.
