//! What keeps foreign clients out: the names in `Host` and `Origin`, the token, and the time of a
//! request.

use std::hint::black_box;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::middleware::Next;
use axum::response::Response;

use super::answer::problem;
use crate::api::ProblemKind;
use crate::config::Config;
use crate::site::Site;

/// The address of a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The headers of every answer: the page loads nothing from elsewhere and is shown in no frame.
const HEADERS: [(HeaderName, &str); 4] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
];

/// Answers a request that comes from the console's own page, or from no page, within the time.
pub(super) async fn guard(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let mut response = match check_names(&site.shared.config, request.uri(), request.headers()) {
        Ok(()) => {
            let answer = tokio::time::timeout(site.shared.config.client_timeout, next.run(request));
            answer.await.unwrap_or_else(|_| problem(ProblemKind::TimedOut, "the request took too long"))
        }
        Err(kind) => problem(kind, "the request does not come from the console's own page"),
    };
    let headers = HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value)));
    response.headers_mut().extend(headers);
    response
}

/// Checks the names that a browser tells. A foreign page that leads its own name to this address
/// has that name in `Host`. A foreign page that asks for this address has its own in `Origin`.
fn check_names(config: &Config, uri: &Uri, headers: &HeaderMap) -> Result<(), ProblemKind> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().unwrap_or_default(),
        _ => return Err(ProblemKind::ForeignHost),
    };
    // A request to a proxy has another host in its first line.
    let is_own = uri.authority().is_none_or(|authority| authority.as_str() == host);
    if !is_own || !is_known(config, host_name(host)) {
        return Err(ProblemKind::ForeignHost);
    }
    let is_same = |origin: &HeaderValue| {
        let origin = origin.to_str().unwrap_or_default();
        let after = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        after.is_some_and(|after| after.eq_ignore_ascii_case(host))
    };
    if headers.get_all(ORIGIN).iter().all(is_same) { Ok(()) } else { Err(ProblemKind::ForeignOrigin) }
}

/// Returns a host without its port.
fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

/// Returns `true` for an address, which no foreign page can have as its name, for this machine, and
/// for the names that were allowed.
fn is_known(config: &Config, name: &str) -> bool {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    bare.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || config.hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Checks the token of a request.
pub(super) fn authorize(config: &Config, headers: &HeaderMap) -> Result<(), ProblemKind> {
    let Some(token) = &config.token else { return Err(ProblemKind::ReadOnly) };
    let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let given = given.and_then(|given| given.strip_prefix(b"Bearer ")).unwrap_or_default();
    if is_equal(token.as_bytes(), given) { Ok(()) } else { Err(ProblemKind::Unauthorized) }
}

/// Compares in a time that says nothing of where the two differ.
fn is_equal(secret: &[u8], given: &[u8]) -> bool {
    let differing = secret.iter().zip(given).fold(0, |differing, (a, b)| black_box(differing | (a ^ b)));
    secret.len() == given.len() && differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Console;

    const TOKEN: &str = "0123456789abcdef";

    fn headers(headers: &[(HeaderName, &'static str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    fn check(given: &[(HeaderName, &'static str)]) -> Result<(), ProblemKind> {
        let console = Console::at("127.0.0.1:9911").allow_host("console.example");
        check_names(&console.config, &Uri::from_static("/"), &headers(given))
    }

    #[test]
    fn own_names_and_addresses_are_hosts_and_no_others() {
        for own in
            ["127.0.0.1:9911", "localhost:9000", "LOCALHOST", "[::1]:9911", "10.0.0.7", "console.example"]
        {
            assert_eq!(check(&[(HOST, own)]), Ok(()), "{own}");
        }
        for foreign in
            ["example.com", "localhost.example.com:9911", "127.0.0.1.example.com", "", ":9911", "["]
        {
            assert_eq!(check(&[(HOST, foreign)]), Err(ProblemKind::ForeignHost), "{foreign:?}");
        }
        assert_eq!(check(&[]), Err(ProblemKind::ForeignHost));
    }

    #[test]
    fn origin_is_that_of_the_host() {
        let with = |origin| check(&[(HOST, "localhost:9911"), (ORIGIN, origin)]);
        assert_eq!(with("http://localhost:9911"), Ok(()));
        assert_eq!(with("https://localhost:9911"), Ok(()));
        for foreign in ["http://localhost:3000", "http://example.com", "null", "", "localhost:9911"] {
            assert_eq!(with(foreign), Err(ProblemKind::ForeignOrigin), "{foreign:?}");
        }
    }

    #[test]
    fn token_has_to_be_equal_in_all_its_bytes() {
        let config = Console::at("127.0.0.1:9911").token(TOKEN).config;
        let with = |value: &'static str| authorize(&config, &headers(&[(AUTHORIZATION, value)]));
        assert_eq!(with("Bearer 0123456789abcdef"), Ok(()));
        for wrong in [
            "Bearer 0123456789abcdeg",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "Bearer ",
            "0123456789abcdef",
            "Basic 0123456789abcdef",
        ] {
            assert_eq!(with(wrong), Err(ProblemKind::Unauthorized), "{wrong:?}");
        }
        let config = Console::at("127.0.0.1:9911").config;
        assert_eq!(authorize(&config, &HeaderMap::new()), Err(ProblemKind::ReadOnly));
    }
}
