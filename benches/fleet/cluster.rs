//! The playground of the tests.

#![allow(dead_code, reason = "the tests use more of it")]

#[path = "../../tests/integration/cluster/control_plane.rs"]
pub mod control_plane;
#[path = "../../tests/integration/cluster/operator.rs"]
pub mod operator;
#[path = "../../tests/integration/cluster/released.rs"]
pub mod released;
#[path = "../../tests/integration/cluster/wait.rs"]
pub mod wait;
