//! The address of a server: what `tokio-postgres` does not read of it is taken out before.

use std::path::PathBuf;

use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

/// An address, as far as it was named by a string.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) config: Config,
    /// The connections are encrypted and the server is verified.
    pub(super) is_encrypted: bool,
    /// The file of the certificates that are trusted.
    pub(super) root: Option<PathBuf>,
}

/// Reads `postgres://user:password@host:port/database?option=value`, or `host=.. user=..`.
pub(super) fn parse(text: &str) -> Result<Address, String> {
    let is_url = text.starts_with("postgres://") || text.starts_with("postgresql://");
    let (mut mode, mut root) = (None, None);
    let mut take = |option: &str| {
        let (name, value) = option.split_once('=')?;
        match name.trim() {
            "sslmode" => mode = Some(value.trim_matches('\'').to_owned()),
            "sslrootcert" => root = Some(value.trim_matches('\'').to_owned()),
            _ => return None,
        }
        Some(())
    };
    let rest = match text.split_once('?') {
        Some((server, options)) if is_url => {
            let kept: Vec<&str> = options.split('&').filter(|option| take(option).is_none()).collect();
            if kept.is_empty() { server.to_owned() } else { format!("{server}?{}", kept.join("&")) }
        }
        _ if is_url => text.to_owned(),
        _ => {
            let kept = text.split_ascii_whitespace().filter(|option| take(option).is_none());
            kept.collect::<Vec<_>>().join(" ")
        }
    };
    let is_encrypted = match mode.as_deref() {
        None | Some("disable" | "allow" | "prefer") => false,
        Some("require" | "verify-ca" | "verify-full") => true,
        Some(other) => return Err(format!("there is no sslmode {other}")),
    };
    // The source has the reason and, unlike the text, no password.
    let mut config: Config = rest.parse().map_err(|error: tokio_postgres::Error| {
        std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)
    })?;
    config.ssl_mode(if is_encrypted { SslMode::Require } else { SslMode::Disable });
    Ok(Address { config, is_encrypted, root: root.map(|path| PathBuf::from(unescaped(&path))) })
}

/// Replaces `%2F` and the like.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%');
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
