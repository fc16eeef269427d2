//! The tests of the network between machines, on the sockets of this one: each file is a module.

#[path = "../src/zenoh/tests/certificates.rs"]
mod certificates;
mod network;
mod network_attacks;
mod network_churn;
mod network_handshakes;
mod network_nodes;
mod network_processes;
mod network_slow;
mod network_tls;
#[allow(dead_code, unused_imports, reason = "this program uses a part of it")]
mod support;
