//! The addresses that a node listens at and connects to.

use std::net::IpAddr;

use super::error::NetworkError;

/// The scheme of an encrypted address.
pub(super) const QUIC: &str = "quic";

/// The scheme of an address that is not encrypted.
pub(super) const TCP: &str = "tcp";

/// Checks an address: its form, that it is encrypted if and only if the node has an identity, and
/// that what is not encrypted stays on this machine.
pub(super) fn check(text: &str, is_encrypted: bool, allows_plaintext: bool) -> Result<(), NetworkError> {
    let invalid = |problem| NetworkError::Address { address: text.to_owned(), problem };
    let (scheme, rest) =
        text.split_once('/').ok_or_else(|| invalid("it is `quic/host:port` or `tcp/host:port`"))?;
    let (host, port) = rest.rsplit_once(':').ok_or_else(|| invalid("it needs a port"))?;
    // Other characters would be settings of zenoh.
    let is_known = |c: char| c.is_ascii_alphanumeric() || ".-[]:".contains(c);
    if host.is_empty() || !host.chars().all(is_known) {
        return Err(invalid("its host is a name or an address"));
    }
    if port.parse::<u16>().is_err() {
        return Err(invalid("its port is a number"));
    }
    match (scheme, is_encrypted) {
        (QUIC, true) => Ok(()),
        (TCP, false) if is_loopback(host) || allows_plaintext => Ok(()),
        (TCP, false) => Err(NetworkError::Plaintext(text.to_owned())),
        (QUIC, false) => Err(invalid("`quic` needs an identity")),
        (TCP, true) => Err(invalid("a node with an identity uses `quic`")),
        _ => Err(invalid("it is `quic/host:port` or `tcp/host:port`")),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
