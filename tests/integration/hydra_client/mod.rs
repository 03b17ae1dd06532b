//! The client in front of servers that misbehave.

mod absence;
mod answers;
mod authentication;
mod errors;
mod gate;
mod redirects;
mod repeats;
mod rude;
mod server;
mod tls;
mod token;
