//! The configuration of zenoh.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use zenoh::Config;

use super::access;
use super::error::NetworkError;
use super::keys::Keys;
use super::settings::{Limits, NetworkConfig};
use super::tls::TlsFiles;
use crate::identity::NodeName;

/// The bytes that zenoh adds to a packet, at most: a key, and the headers.
const ENVELOPE: usize = 4_096;

/// The bytes of a batch, which zenoh sends at once.
const BATCH: usize = 64 * 1024;

/// The most batches that zenoh keeps for a peer.
const MAX_BATCHES: usize = 16;

/// Returns the configuration of a session, with access control if there is an identity.
pub(super) fn config(
    config: &NetworkConfig,
    limits: &Limits,
    keys: &Keys,
    own: &NodeName,
    members: &BTreeSet<NodeName>,
) -> Result<Config, NetworkError> {
    let files = config.identity.as_ref().map(|identity| identity.load(own)).transpose()?;
    let mut listen = config.listen.clone();
    if listen.is_empty() {
        listen.push(format!("{}/127.0.0.1:0", config.scheme()));
    }
    let mut options = json!({
        "mode": "peer",
        // A peer that is not there is connected to once it is.
        "connect": {
            "endpoints": config.peers,
            "timeout_ms": -1,
            "exit_on_failure": false,
            "retry": { "period_init_ms": 100, "period_max_ms": 1_000, "period_increase_factor": 2 },
        },
        // An address that is taken ends the start.
        "listen": { "endpoints": listen, "timeout_ms": 0, "exit_on_failure": true },
        "open": { "return_conditions": { "connect_scouted": false, "declares": false } },
        "scouting": {
            "multicast": { "enabled": false },
            "gossip": { "enabled": config.gossip, "multihop": false, "autoconnect": ["peer"] },
        },
        "adminspace": { "enabled": false },
        "transport": transport(config, limits, files.as_ref()),
    });
    if files.is_some() {
        let mut members = members.clone();
        members.insert(own.clone());
        options["access_control"] = access::rules(keys, own, &members);
    }
    Config::from_json5(&options.to_string()).map_err(|error| NetworkError::Zenoh(error.to_string()))
}

fn transport(config: &NetworkConfig, limits: &Limits, files: Option<&TlsFiles>) -> Value {
    let lease = limits.lease;
    // One that connects and says nothing holds its place for so long.
    let patience = lease.as_millis().clamp(1_000, 10_000);
    // The window fits, as far as it can, so that the thread of a peer need not wait.
    let batches = (limits.window / BATCH + 1).clamp(2, MAX_BATCHES);
    let mut link = json!({
        "protocols": [config.scheme()],
        "tx": {
            "lease": lease.as_millis(),
            "keep_alive": 4,
            "queue": {
                "size": { "data": batches },
                "congestion_control": {
                    // A peer that takes nothing for the lease is given up.
                    "block": { "wait_before_close": lease.as_micros() },
                    // What callers send does not wait.
                    "drop": { "wait_before_drop": 0, "max_wait_before_drop_fragments": 0 },
                },
            },
        },
        "rx": { "max_message_size": limits.max_packet.saturating_add(ENVELOPE) },
    });
    if let Some(TlsFiles { ca, certificate, key }) = files {
        link["tls"] = json!({
            "root_ca_certificate": ca,
            "listen_private_key": key,
            "listen_certificate": certificate,
            "connect_private_key": key,
            "connect_certificate": certificate,
            "enable_mtls": true,
            // The name that counts is that of the node, which access control goes by.
            "verify_name_on_connect": false,
            "close_link_on_expiration": true,
        });
    }
    json!({
        "unicast": {
            "open_timeout": patience,
            "accept_timeout": patience,
            "compression": { "enabled": false },
        },
        "link": link,
        "shared_memory": { "enabled": false },
    })
}
