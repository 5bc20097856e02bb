//! Who may have something written.

use super::Problem;
use http::{
    HeaderMap, Request,
    header::{AUTHORIZATION, HOST, ORIGIN},
    uri::Authority,
};

/// Makes sure that whoever wants something written may have it written: who has the token, if there is one; otherwise
/// who is on this machine, but not the page of another site in a browser there.
pub(super) fn writing(request: &Request<()>, token: Option<&str>) -> Result<(), Problem> {
    let Some(token) = token else {
        if !all_names(request).all(is_loopback) {
            return Err(Problem::forbidden(
                "only this machine may do that, unless a token is configured: REPO_SCANNER_TOKEN",
            ));
        }
        if is_of_another_site(request) {
            return Err(Problem::forbidden(
                "this is not for the pages of other sites",
            ));
        }
        return Ok(());
    };
    let given = request.headers().get(AUTHORIZATION);
    let given = given.and_then(|value| value.as_bytes().split_at_checked(7));
    let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
    match given {
        Some((_, given)) if is_same(given.trim_ascii(), token.as_bytes()) => Ok(()),
        Some(_) => Err(Problem::unauthorized(
            "the token is not the one that is configured",
        )),
        None => Err(Problem::unauthorized(
            "this takes a token: Authorization: Bearer …",
        )),
    }
}

/// Tells whether a browser says that another site's page asks for this.
fn is_of_another_site(request: &Request<()>) -> bool {
    let headers = request.headers();
    if let Some(site) = text(headers, "sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    if !headers.contains_key(ORIGIN) {
        return false;
    }
    let origin = text(headers, ORIGIN.as_str()).and_then(|origin| origin.split_once("://"));
    let here = here(request);
    // What is no address, as `null`, is no page of ours.
    origin.is_none_or(|(_, origin)| here.is_none_or(|here| !origin.eq_ignore_ascii_case(here)))
}

/// What the client calls us, with the port.
fn here(request: &Request<()>) -> Option<&str> {
    let authority = request.uri().authority().map(|here| here.as_str());
    text(request.headers(), HOST.as_str()).or(authority)
}

/// All that the client calls us: in each `Host`, and in the target of the request.
fn all_names(request: &Request<()>) -> impl Iterator<Item = &str> {
    let hosts = request.headers().get_all(HOST).into_iter();
    // What is no text is no name of this machine.
    let hosts = hosts.map(|host| host.to_str().unwrap_or_default());
    hosts.chain(request.uri().authority().map(Authority::as_str))
}

/// Tells whether a name with a port means the machine that it is used on, whatever anybody makes names mean.
fn is_loopback(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else {
        return false;
    };
    let host = authority.host().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host == "::1" || is_127(host)
}

/// Tells whether it is an address of IPv4 that begins with 127. The standard library's reader of addresses is more code than
/// that, and reads more of them.
fn is_127(host: &str) -> bool {
    let is_part = |part: &str| {
        let is_short = part == "0" || !part.starts_with('0');
        is_short && part.bytes().all(|byte| byte.is_ascii_digit()) && part.parse::<u8>().is_ok()
    };
    host.starts_with("127.") && host.split('.').count() == 4 && host.split('.').all(is_part)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Compares in a time that does not tell where the two differ.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && std::hint::black_box(differences) == 0
}
