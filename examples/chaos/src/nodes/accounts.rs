//! What boots see of each other at the end, and whether the packets between them add up.

use std::collections::{BTreeMap, BTreeSet};

use super::process::{Account, Sight};

/// Returns what is missing until all nodes see and reach each other.
pub fn unreached(sights: &[Sight]) -> Vec<String> {
    let all: BTreeSet<String> = sights.iter().map(|sight| sight.boot.clone()).collect();
    let mut unreached = Vec::new();
    for Sight { boot, peers, names, members } in sights {
        let others: BTreeSet<String> = all.iter().filter(|other| *other != boot).cloned().collect();
        for (what, found, wanted) in [
            ("is connected with", peers, &others),
            ("reaches by name", names, &others),
            ("reaches in the group", members, &all),
        ] {
            if found != wanted {
                unreached.push(format!("{boot} {what} {}, not {}", list(found), list(wanted)));
            }
        }
    }
    unreached
}

fn list(boots: &BTreeSet<String>) -> String {
    format!("[{}]", boots.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
}

/// Returns the accounts that do not balance. What one of two boots has sent is what the other has
/// received, and what is known to be lost.
pub fn unbalanced(accounts: &[Account], boots: &BTreeSet<String>) -> Vec<String> {
    let by_pair: BTreeMap<(&str, &str), &Account> =
        accounts.iter().map(|account| ((account.of.as_str(), account.peer.as_str()), account)).collect();
    let mut unbalanced = Vec::new();
    let pairs = boots.iter().flat_map(|of| boots.iter().map(move |peer| (of.as_str(), peer.as_str())));
    for (of, peer) in pairs.filter(|(of, peer)| of != peer) {
        let (Some(own), Some(other)) = (by_pair.get(&(of, peer)), by_pair.get(&(peer, of))) else {
            unbalanced.push(format!("{of} and {peer} have no account of each other"));
            continue;
        };
        let (sent, received, lost) = (own.sent, other.received, own.lost);
        if sent != received + lost {
            unbalanced.push(format!("{of} to {peer}: {sent} sent, {received} received, {lost} lost"));
        }
    }
    unbalanced
}
