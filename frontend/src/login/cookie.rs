//! The cookie of a session: out of reach of scripts and of other sites, and over TLS only where there is TLS.

use axum::http::{HeaderMap, header};

/// Its name where the site is reached over TLS: browsers take it from nobody but this host.
const SECURE_NAME: &str = "__Host-tidemark";
/// Its name without TLS, which is for loopback.
const PLAIN_NAME: &str = "tidemark";

/// Whether the site is reached over TLS.
fn is_secure(public_url: &str) -> bool {
    public_url.starts_with("https://")
}

fn name(public_url: &str) -> &'static str {
    if is_secure(public_url) { SECURE_NAME } else { PLAIN_NAME }
}

/// The header that sets it; an empty token takes it away.
pub(crate) fn set(public_url: &str, token: &str) -> String {
    let secure = if is_secure(public_url) { "; Secure" } else { "" };
    let ends = if token.is_empty() { "; Max-Age=0" } else { "" };
    format!("{}={token}; Path=/; HttpOnly; SameSite=Strict{secure}{ends}", name(public_url))
}

/// The token that a request shows.
pub(crate) fn shown(public_url: &str, headers: &HeaderMap) -> Option<String> {
    let wanted = name(public_url);
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|it| it.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|it| it.trim().split_once('='));
    pairs.into_iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned())
}

/// Whether a request that changes something comes from one of our own pages. Browsers say so in each such request.
pub(crate) fn is_own_origin(public_url: &str, headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let own = |it: &axum::http::HeaderValue| it.to_str().is_ok_and(|it| it == origin(public_url));
    origins.next().is_some_and(own) && origins.next().is_none()
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> &str {
    let from = url.find("://").map_or(0, |it| it + 3);
    let end = url.get(from..).and_then(|it| it.find('/')).map_or(url.len(), |it| from + it);
    url.get(..end).unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: header::HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|it| (name.clone(), it.parse().unwrap())).collect()
    }

    #[test]
    fn it_is_for_this_host_and_for_no_script() {
        let set = set("https://backup:8080", "tms_1");
        assert_eq!(set, "__Host-tidemark=tms_1; Path=/; HttpOnly; SameSite=Strict; Secure");
        let plain = super::set("http://127.0.0.1:8080", "");
        assert_eq!(plain, "tidemark=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    }

    #[test]
    fn it_is_found_among_others() {
        let headers = with(header::COOKIE, &["a=b; __Host-tidemark=tms_1;c=d", "tidemark=tms_2"]);
        assert_eq!(shown("https://backup", &headers).as_deref(), Some("tms_1"));
        assert_eq!(shown("http://backup", &headers).as_deref(), Some("tms_2"));
        assert_eq!(shown("https://backup", &HeaderMap::new()), None);
    }

    #[test]
    fn only_our_own_pages_are_our_own() {
        let own = |values: &[&str]| is_own_origin("https://backup:8080", &with(header::ORIGIN, values));
        assert!(own(&["https://backup:8080"]));
        for bad in [
            &[][..],
            &["null"],
            &["http://backup:8080"],
            &["https://backup"],
            &["https://backup:8080.evil.org"],
            &["https://backup:8080", "https://evil.org"],
        ] {
            assert!(!own(bad), "{bad:?}");
        }
    }
}
