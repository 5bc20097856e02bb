//! What an error body says about limits.

use http::StatusCode;

use crate::{
    Dialect, Limit,
    json::{self, Step},
};

/// Reads the beginning of a body. Codes count where their servers put them; prose counts only in
/// the messages of the server that the dialect names, and only on the statuses it uses.
pub(crate) fn limit(status: StatusCode, body: &[u8], dialect: Dialect) -> Option<Limit> {
    if !json::looks_like_json(body) {
        // GitHub also refuses with a web page.
        return (dialect == Dialect::GitHub && may_be_a_limit(status))
            .then(|| github_prose(body))
            .flatten();
    }
    let mut found = None;
    json::strings(body, |path, text| {
        let said = code(status, path, text).or_else(|| match dialect {
            Dialect::Generic => None,
            Dialect::GitHub => github(status, path, text),
            Dialect::Anthropic => anthropic(status, path, text),
        });
        if rank(said) > rank(found) {
            found = said;
        }
    });
    found
}

/// How much one finding outweighs another.
fn rank(limit: Option<Limit>) -> u8 {
    match limit {
        None => 0,
        Some(Limit::SpendCap) => 3,
        Some(Limit::Secondary) => 2,
        Some(_) => 1,
    }
}

fn may_be_a_limit(status: StatusCode) -> bool {
    status == StatusCode::FORBIDDEN || status == StatusCode::TOO_MANY_REQUESTS
}

/// Whether a path is this one, with dots between the keys and `*` for the elements of an array.
///
/// Not a pattern of byte strings: each of its letters would be a comparison of its own in the program.
fn is(path: &[Step<'_>], written: &str) -> bool {
    let keys = written.split('.');
    keys.map(|key| (key != "*").then_some(key.as_bytes()))
        .eq(path.iter().copied())
}

/// The codes for an empty purse: Anthropic's in the details, OpenAI's as code or type, in `error`
/// or at the top.
fn code(status: StatusCode, path: &[Step<'_>], text: &[u8]) -> Option<Limit> {
    let spent = status.is_client_error()
        && if text == b"enforced_spend_limit_reached" {
            is(path, "error.details.error_code")
        } else if text == b"insufficient_quota" {
            let codes = ["error.code", "error.type", "code", "type"];
            codes.iter().any(|code| is(path, code))
        } else {
            false
        };
    spent.then_some(Limit::SpendCap)
}

fn github(status: StatusCode, path: &[Step<'_>], text: &[u8]) -> Option<Limit> {
    if is(path, "errors.*.message") || (is(path, "message") && may_be_a_limit(status)) {
        github_prose(text)
    } else if is(path, "documentation_url") && may_be_a_limit(status) {
        let secondary =
            contains(text, b"secondary-rate-limits") || contains(text, b"abuse-rate-limits");
        secondary.then_some(Limit::Secondary)
    } else {
        // GraphQL refuses inside a 200.
        (text == b"RATE_LIMITED" && is(path, "errors.*.type")).then_some(Limit::Primary)
    }
}

fn github_prose(text: &[u8]) -> Option<Limit> {
    if contains(text, b"secondary rate limit") || contains(text, b"abuse detection mechanism") {
        Some(Limit::Secondary)
    } else if contains(text, b"api rate limit exceeded")
        || contains(text, b"api rate limit already exceeded")
    {
        Some(Limit::Primary)
    } else {
        None
    }
}

fn anthropic(status: StatusCode, path: &[Step<'_>], text: &[u8]) -> Option<Limit> {
    if status.is_server_error() {
        (text == b"overloaded_error" && is(path, "error.type")).then_some(Limit::Overloaded)
    } else if status.is_client_error() && is(path, "error.message") {
        let own_cap =
            contains(text, b"you have reached your specified") && contains(text, b"usage limits");
        (own_cap || contains(text, b"monthly spend limit")).then_some(Limit::SpendCap)
    } else {
        None
    }
}

/// Whether `text` contains `words`, which are in small letters, in letters of any size.
fn contains(text: &[u8], words: &[u8]) -> bool {
    text.windows(words.len())
        .any(|window| window.eq_ignore_ascii_case(words))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn said(status: u16, body: &str, dialect: Dialect) -> Option<Limit> {
        limit(
            StatusCode::from_u16(status).unwrap(),
            body.as_bytes(),
            dialect,
        )
    }

    const DIALECTS: [Dialect; 3] = [Dialect::Generic, Dialect::GitHub, Dialect::Anthropic];

    #[test]
    fn github_secondary() {
        for body in [
            r#"{"documentation_url": "https://docs.github.com/en/free-pro-team@latest/rest/overview/resources-in-the-rest-api#secondary-rate-limits", "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}"#,
            r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If you reach out to GitHub Support for help, please include the request ID C620:D8D4:1FA9F4A3:1EAC3CBC:6AA01B31."}"#,
            r#"{"message":"You have triggered an abuse detection mechanism. Please wait a few minutes before you try again.","documentation_url":"https://developer.github.com/v3/#abuse-rate-limits"}"#,
            r#"{"message":"Slow down","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}"#,
            "<html><title>Rate limit &middot; GitHub</title><p>You have exceeded a secondary rate limit.</p></html>",
        ] {
            assert_eq!(
                said(403, body, Dialect::GitHub),
                Some(Limit::Secondary),
                "{body}"
            );
            assert_eq!(
                said(429, body, Dialect::GitHub),
                Some(Limit::Secondary),
                "{body}"
            );
            assert_eq!(
                said(403, body, Dialect::Generic),
                None,
                "prose is the dialect's"
            );
            assert_eq!(
                said(404, body, Dialect::GitHub),
                None,
                "not on a status that is no refusal"
            );
        }
    }

    #[test]
    fn github_primary() {
        let body = r#"{"message":"API rate limit exceeded for installation ID 1234567.","documentation_url":"https://docs.github.com/rest/overview/resources-in-the-rest-api#rate-limiting"}"#;
        assert_eq!(said(403, body, Dialect::GitHub), Some(Limit::Primary));
        let graphql = r#"{"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded for user ID 1."}]}"#;
        assert_eq!(said(200, graphql, Dialect::GitHub), Some(Limit::Primary));
        let graphql = r#"{"errors":[{"message":"You have exceeded a secondary rate limit."}]}"#;
        assert_eq!(said(200, graphql, Dialect::GitHub), Some(Limit::Secondary));
    }

    #[test]
    fn a_missing_permission_is_no_limit() {
        for body in [
            r#"{"message":"Resource not accessible by integration","documentation_url":"https://docs.github.com/rest/git/refs#create-a-reference"}"#,
            r#"{"message":"Must have admin rights to Repository.","documentation_url":"https://docs.github.com/rest/rate-limit/rate-limit"}"#,
            r#"{"message":"Not this: {\"message\":\"secondary rate\"}","errors":[{"field":"secondary rate limit"}]}"#,
            r#"{"items":[{"message":"You have exceeded a secondary rate limit"}]}"#,
            "",
        ] {
            assert_eq!(said(403, body, Dialect::GitHub), None, "{body}");
        }
        let issue = r#"{"message":"You have exceeded a secondary rate limit","title":"API rate limit exceeded"}"#;
        assert_eq!(
            said(200, issue, Dialect::GitHub),
            None,
            "somebody's text in a successful reply"
        );
    }

    #[test]
    fn a_spend_cap_is_found_by_its_code() {
        let anthropic = r#"{"type":"error","error":{"type":"rate_limit_error","message":"You have reached your API usage limits: your organization has crossed its monthly API usage threshold, set based on your organization's API tier. You will regain access on 2026-09-01 at 00:00 UTC.","details":{"error_code":"enforced_spend_limit_reached"}},"request_id":"req_018"}"#;
        let openai = r#"{
            "error": {
                "message": "You exceeded your current quota, please check your plan and billing details.",
                "type": "insufficient_quota",
                "param": null,
                "code": "insufficient_quota"
            }
        }"#;
        let flat = r#"{"code":"insufficient_quota","message":"no credit"}"#;
        for body in [anthropic, openai, flat] {
            for dialect in DIALECTS {
                assert_eq!(said(429, body, dialect), Some(Limit::SpendCap), "{body}");
                assert_eq!(said(200, body, dialect), None);
            }
        }
    }

    #[test]
    fn the_words_of_a_code_elsewhere_are_not_the_code() {
        for body in [
            r#"{"error":{"type":"rate_limit_error","message":"enforced_spend_limit_reached and insufficient_quota"}}"#,
            r#"{"error":{"type":"rate_limit_error","message":"see {\"error\":{\"code\":\"insufficient_quota\"}}"}}"#,
            r#"{"error":{"type":"rate_limit_error","details":{"hint":"enforced_spend_limit_reached"}}}"#,
            r#"{"error":{"type":"rate_limit_error","details":null,"error_code":"enforced_spend_limit_reached"}}"#,
            r#"{"messages":[{"error":{"code":"insufficient_quota"}}]}"#,
            r#"{"error":{"insufficient_quota":"code"}}"#,
            r#"{"error":{"code":"insufficient_quota_soon"}}"#,
            r#"{"error":{"code":"insufficient_quo"#,
            "insufficient_quota",
        ] {
            for dialect in DIALECTS {
                assert_eq!(said(429, body, dialect), None, "{body}");
            }
        }
    }

    #[test]
    fn anthropic_says_more_in_words() {
        let own_cap = r#"{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified workspace API usage limits. You will regain access on 2026-09-01 at 00:00 UTC."}}"#;
        assert_eq!(
            said(400, own_cap, Dialect::Anthropic),
            Some(Limit::SpendCap)
        );
        assert_eq!(said(400, own_cap, Dialect::Generic), None);
        let cap = r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your account's monthly spend limit. Please try again later."}}"#;
        assert_eq!(said(429, cap, Dialect::Anthropic), Some(Limit::SpendCap));
        let minute = r#"{"type":"error","error":{"type":"rate_limit_error","message":"Number of request tokens has exceeded your per-minute rate limit"}}"#;
        assert_eq!(said(429, minute, Dialect::Anthropic), None);
        let busy = r#"{"type":"error","error":{"details":null,"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}"#;
        assert_eq!(said(529, busy, Dialect::Anthropic), Some(Limit::Overloaded));
        assert_eq!(said(500, busy, Dialect::Anthropic), Some(Limit::Overloaded));
        assert_eq!(said(400, busy, Dialect::Anthropic), None);
    }

    #[test]
    fn of_several_findings_the_gravest_counts() {
        let prose = r#""message":"API rate limit exceeded""#;
        let link = r#""documentation_url":"https://x/#secondary-rate-limits""#;
        let code = r#""error":{"code":"insufficient_quota"}"#;
        for (one, other, limit) in [
            (prose, link, Limit::Secondary),
            (link, prose, Limit::Secondary),
            (prose, code, Limit::SpendCap),
            (code, link, Limit::SpendCap),
        ] {
            let body = format!("{{{one},{other}}}");
            assert_eq!(said(429, &body, Dialect::GitHub), Some(limit), "{body}");
        }
    }

    #[test]
    fn a_body_of_any_bytes_is_harmless() {
        for body in [
            &b"\0\0\0"[..],
            b"{\"a\":\"\xff\xfe\0\"}",
            b"{",
            b"[[[[",
            b"\"",
            b"\xef\xbb\xbf{\"error\":1}",
        ] {
            for dialect in DIALECTS {
                assert_eq!(limit(StatusCode::TOO_MANY_REQUESTS, body, dialect), None);
            }
        }
    }
}
