//! The client in front of servers that misbehave.
