//! What each member may do: the access control of zenoh, made of the list of members.
//!
//! What is not allowed is denied, in both directions. A member is known by the common name of its
//! certificate. It may send to this node as itself, subscribe to what is sent to itself, and
//! announce itself. It can neither pose as another member, nor read what others send to each other.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::keys::Keys;
use crate::identity::NodeName;

/// Returns the rules for the transports of a node to the members.
pub(super) fn rules(keys: &Keys, own: &NodeName, members: &BTreeSet<NodeName>) -> Value {
    let (mut rules, mut subjects, mut policies) = (Vec::new(), Vec::new(), Vec::new());
    for member in members {
        let mut ids = Vec::new();
        let mut allow = |flow: &str, message: &str, key: String| {
            let id = format!("{member} {flow} {message}");
            rules.push(json!({
                "id": id, "messages": [message], "flows": [flow], "permission": "allow", "key_exprs": [key],
            }));
            ids.push(id);
        };
        for (flow, from, to) in [("ingress", member, own), ("egress", own, member)] {
            allow(flow, "put", keys.packets_between(to, from));
            allow(flow, "declare_subscriber", keys.packets_to_any(from));
            allow(flow, "liveliness_token", keys.presence_of(from));
            allow(flow, "declare_liveliness_subscriber", keys.all_presence());
            allow(flow, "liveliness_query", keys.all_presence());
        }
        subjects.push(json!({ "id": member, "cert_common_names": [member] }));
        policies.push(json!({ "rules": ids, "subjects": [member] }));
    }
    json!({
        "enabled": true,
        "default_permission": "deny",
        "rules": rules,
        "subjects": subjects,
        "policies": policies,
    })
}
