//! The heads of requests and responses, as one string each.

use super::{FetchError, FetchErrorKind, Redirect};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, COOKIE, TRANSFER_ENCODING},
    request, response,
};
use std::str;

/// Where a response comes from, in its extensions, if the runtime has followed a redirection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalUrl(pub Uri);

/// Writes the head of a request as `bridge.js` reads it.
pub(crate) fn write(parts: &request::Parts) -> Result<String, FetchError> {
    let invalid = |message: String| FetchError::new(FetchErrorKind::InvalidRequest, message);
    let request::Parts {
        method,
        uri,
        headers,
        extensions,
        ..
    } = parts;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(invalid(format!(
            "a fetch needs a whole URL, and {} has no host",
            uri.path()
        )));
    };
    if !matches!(scheme, "http" | "https") {
        return Err(invalid(format!("a fetch cannot load {scheme}")));
    }
    // The runtime would leave them out, and say nothing.
    if authority.as_str().bytes().any(|byte| byte == b'@') {
        return Err(invalid("there is a user in the URL".to_owned()));
    }
    let redirect = extensions.get::<Redirect>().copied().unwrap_or_default();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut head = String::with_capacity(64 + path.len() + 48 * headers.len());
    for part in [
        method.as_str(),
        "\n",
        scheme,
        "://",
        authority.as_str(),
        path,
        "\n",
        redirect.as_str(),
    ] {
        head.push_str(part);
    }
    let mut last = None;
    for (name, value) in headers {
        // The runtime says it itself, of the body that it gets.
        if name == CONTENT_LENGTH || name == TRANSFER_ENCODING {
            continue;
        }
        // What is no UTF-8 cannot be said in JavaScript; a server would get something else.
        let value = str::from_utf8(value.as_bytes());
        let value =
            value.map_err(|_| invalid(format!("the header {} is not UTF-8", name.as_str())))?;
        // The runtime joins lines by commas, which is right for all others: RFC 6265, section 5.4.
        let parts = if *name == COOKIE && last == Some(name) {
            ["; ", "", "", value]
        } else {
            ["\n", name.as_str(), "\n", value]
        };
        parts.into_iter().for_each(|part| head.push_str(part));
        last = Some(name);
    }
    Ok(head)
}

/// Reads the head of a response as `bridge.js` writes it.
///
/// The runtime undoes some encodings, and leaves the headers that speak of what it has received: they are left out.
pub(crate) fn read(
    method: &Method,
    status: u16,
    head: &str,
) -> Result<response::Parts, FetchError> {
    let invalid = |message: String| FetchError::new(FetchErrorKind::InvalidResponse, message);
    let status = StatusCode::from_u16(status).map_err(|_| invalid(format!("status {status}")))?;
    if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
        // The local runtime takes it for the response, and the response for its body.
        return Err(invalid(format!("status {status} is none of a response")));
    }
    let mut lines = head.split('\n');
    let final_url = lines.next().filter(|url| !url.is_empty());
    let is_undone = method != Method::HEAD && is_undone(lines.clone());
    let mut headers = HeaderMap::new();
    while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| invalid("the name of a header".into()))?;
        if is_undone && (name == CONTENT_ENCODING || name == CONTENT_LENGTH) {
            continue;
        }
        let value =
            HeaderValue::from_str(value).or_else(|_| HeaderValue::from_bytes(value.as_bytes()));
        let value = value.map_err(|_| invalid(format!("the header {}", name.as_str())))?;
        headers.append(name, value);
    }
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = status;
    parts.headers = headers;
    if let Some(url) = final_url.and_then(|url| url.parse().ok()) {
        parts.extensions.insert(FinalUrl(url));
    }
    Ok(parts)
}

/// Tells whether the runtime has undone the encoding of the body.
fn is_undone<'a>(mut lines: impl Iterator<Item = &'a str>) -> bool {
    while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
        if name.eq_ignore_ascii_case("content-encoding") {
            // As the runtime writes them: it leaves `GZip` as it is.
            return matches!(value, "gzip" | "br");
        }
    }
    false
}

/// Returns how long the body of a response is, if that is said and is true of what JavaScript hands over.
pub(crate) fn length(method: &Method, parts: &response::Parts) -> Option<u64> {
    if method == Method::HEAD {
        return None;
    }
    parts
        .headers
        .get(CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

#[cfg(test)]
#[cfg_attr(
    target_arch = "wasm32",
    allow(
        clippy::unwrap_used,
        reason = "clippy does not see that these are tests"
    )
)]
mod tests {
    use super::*;
    use http::Request;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn written(request: request::Builder) -> Result<String, FetchError> {
        write(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn a_request_is_a_line_for_each_part() {
        let request = Request::post("https://example.com:8443/a?b=c")
            .header("accept", "*/*")
            .header("content-length", "7")
            .header("x", "grün".as_bytes())
            .extension(Redirect::Follow);
        let head = "POST\nhttps://example.com:8443/a?b=c\nfollow\naccept\n*/*\nx\ngrün";
        assert_eq!(written(request).unwrap(), head);
        let cookies = Request::get("http://a/")
            .header("cookie", "a=1")
            .header("x", "1")
            .header("cookie", "b=2")
            .header("x", "2");
        assert_eq!(
            written(cookies).unwrap(),
            "GET\nhttp://a/\nmanual\ncookie\na=1; b=2\nx\n1\nx\n2"
        );
        let bare = written(Request::get("http://example.com"));
        assert_eq!(bare.unwrap(), "GET\nhttp://example.com/\nmanual");
    }

    #[test]
    fn what_cannot_be_written_is_named_and_not_shown() {
        for (request, told) in [
            (Request::get("/a?secret"), "/a has no host"),
            (Request::get("example.com:80"), "has no host"),
            (Request::get("ftp://a/secret"), "cannot load ftp"),
            (Request::get("https://me:secret@a/"), "a user in the URL"),
            (
                Request::get("http://a/").header("x-key", &b"secret\xff"[..]),
                "the header x-key is not UTF-8",
            ),
        ] {
            let error = written(request).unwrap_err();
            assert_eq!(error.kind(), FetchErrorKind::InvalidRequest);
            assert!(error.to_string().contains(told), "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn whatever_a_server_sends_is_a_response_or_an_error() {
        let parts = read(&Method::GET, 299, "https://b/\nx\n1\nx\n\ny\ngr\u{fc}n").unwrap();
        assert_eq!(
            parts.headers.get_all("x").iter().collect::<Vec<_>>(),
            ["1", ""]
        );
        assert_eq!(parts.headers["y"].as_bytes(), "grün".as_bytes());
        assert_eq!(parts.extensions.get::<FinalUrl>().unwrap().0, "https://b/");
        for (status, head) in [
            (0, ""),
            (99, ""),
            (1000, ""),
            (u16::MAX, ""),
            (200, "\n\n"),
            (200, "\na b\nc"),
            (200, "\na\n\0"),
        ] {
            let kind = read(&Method::GET, status, head).unwrap_err().kind();
            assert_eq!(kind, FetchErrorKind::InvalidResponse, "{status} {head:?}");
        }
        for (status, head) in [(200, ""), (200, "\na"), (999, "not a url\na\nb")] {
            assert!(
                read(&Method::GET, status, head).is_ok(),
                "{status} {head:?}"
            );
        }
    }

    #[test]
    fn a_length_is_believed_only_where_it_is_that_of_what_is_read() {
        let length = |method, head: &str| {
            let parts = read(&method, 200, head).unwrap();
            (length(&method, &parts), parts.headers.len())
        };
        assert_eq!(length(Method::GET, "\ncontent-length\n5"), (Some(5), 1));
        assert_eq!(length(Method::HEAD, "\ncontent-length\n5"), (None, 1));
        for odd in ["-1", "5, 5", "99999999999999999999", "x", ""] {
            assert_eq!(
                length(Method::GET, &format!("\ncontent-length\n{odd}")),
                (None, 1)
            );
        }
        let encoded = |encoding| format!("\ncontent-length\n5\ncontent-encoding\n{encoding}");
        assert_eq!(length(Method::GET, &encoded("gzip")), (None, 0));
        assert_eq!(length(Method::GET, &encoded("br")), (None, 0));
        assert_eq!(length(Method::HEAD, &encoded("br")), (None, 2));
        assert_eq!(length(Method::GET, &encoded("GZip")), (Some(5), 2));
        assert_eq!(length(Method::GET, &encoded("zstd")), (Some(5), 2));
    }
}
