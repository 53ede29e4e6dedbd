//! Origins of browsers, checked before anything listens: one that no browser sends would be let in never, and silently.

use std::net::Ipv6Addr;

const EXPECTED: &str = "expected a scheme, a host and, if it is not the usual one, a port, as https://app.example or \
                        http://localhost:6274";

/// An origin as browsers write it: in lower case and without the port that is usual for its scheme.
///
/// # Errors
/// Says what is wrong with it.
pub(crate) fn origin(text: &str) -> Result<String, String> {
    if text.contains('*') {
        return Err("name each origin: `*` would let in the pages of everybody".to_owned());
    }
    let text = text.to_ascii_lowercase();
    let (scheme, rest) = text.split_once("://").ok_or(EXPECTED)?;
    if !is_scheme(scheme) {
        return Err(EXPECTED.to_owned());
    }
    if rest.contains(['/', '?', '#']) {
        return Err("an origin has no path, not even a `/` at its end".to_owned());
    }
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    if !is_host(host) {
        return Err(EXPECTED.to_owned());
    }
    let Some(port) = port else {
        return Ok(text);
    };
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse::<u16>().ok().filter(|port| digits && *port > 0) {
        Some(port) if usual(scheme) == Some(port) => Ok(format!("{scheme}://{host}")),
        Some(port) => Ok(format!("{scheme}://{host}:{port}")),
        None => Err(format!("{port:?} is no port")),
    }
}

/// The port that browsers leave out.
pub(crate) fn usual(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

fn is_scheme(text: &str) -> bool {
    let others = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic()) && text.bytes().all(others)
}

fn is_host(text: &str) -> bool {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    match inner {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_as_browsers_send_them() {
        for (text, read) in [
            ("https://app.example", "https://app.example"),
            ("HTTPS://App.Example:443", "https://app.example"),
            ("http://localhost:80", "http://localhost"),
            ("http://localhost:6274", "http://localhost:6274"),
            ("http://127.0.0.1:443", "http://127.0.0.1:443"),
            ("http://[::1]", "http://[::1]"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ] {
            assert_eq!(origin(text).as_deref(), Ok(read), "{text}");
        }
    }

    #[test]
    fn what_no_browser_sends_is_refused_with_a_sentence() {
        for (text, told) in [
            ("*", "name each origin"),
            ("https://*.example", "name each origin"),
            ("app.example", "expected a scheme"),
            ("null", "expected a scheme"),
            ("", "expected a scheme"),
            ("://app.example", "expected a scheme"),
            ("https://", "expected a scheme"),
            ("https://a b", "expected a scheme"),
            ("https://user@app.example", "expected a scheme"),
            ("https://\u{e4}.example", "expected a scheme"),
            ("https://[app]", "expected a scheme"),
            ("https://app.example/", "no path"),
            ("https://app.example?x", "no path"),
            ("https://app.example:", "is no port"),
            ("https://app.example:0", "is no port"),
            ("https://app.example:+80", "is no port"),
            ("https://app.example:70000", "is no port"),
        ] {
            let refused = origin(text).expect_err(text);
            assert!(refused.contains(told), "{text}: {refused}");
        }
    }
}
