//! What an isolate tells of itself.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CACHE_CONTROL, header::CONTENT_TYPE};
use http_body_util::Full;
use serde::Serialize;
use tower_egress::{Egress, Status, Timer};

/// What a status route says.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    /// That it is not all there is: there are as many isolates as the platform likes, and each begins at zero.
    scope: &'static str,
    wasm_memory_bytes: u64,
    #[serde(flatten)]
    status: &'a Status,
}

/// Makes the response of a status route: [`Egress::status`] as JSON, with how much memory the module has.
///
/// It tells of one isolate, and says so: `"scope": "isolate"`. The connection limit's figures are those of the invocation
/// whose [`Egress::for_invocation`] it is.
///
/// # Errors
///
/// None that can occur: what is serialized has nothing that JSON has no word for.
pub fn status_response<T: Timer, X>(
    egress: &Egress<T, X>,
) -> Result<Response<Full<Bytes>>, serde_json::Error> {
    let report = Report {
        scope: "isolate",
        wasm_memory_bytes: memory_bytes(),
        status: &egress.status(),
    };
    let mut response = Response::new(Full::from(serde_json::to_vec(&report)?));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Returns how many bytes of memory the wasm module has: all that it ever needed at once, as it never shrinks.
///
/// JavaScript's own heap, in which streams and requests are, cannot be seen. Natively it is 0.
pub fn memory_bytes() -> u64 {
    #[cfg(target_arch = "wasm32")]
    {
        /// [As wasm says](https://webassembly.github.io/spec/core/exec/runtime.html#page-size).
        const PAGE: u64 = 65_536;
        u64::try_from(std::arch::wasm32::memory_size::<0>()).map_or(u64::MAX, |pages| pages * PAGE)
    }
    #[cfg(not(target_arch = "wasm32"))]
    0
}
