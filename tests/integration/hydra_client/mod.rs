//! The client in front of servers that misbehave.

mod absence;
mod answers;
mod errors;
mod redirects;
mod repeats;
mod rude;
mod server;
mod tls;
