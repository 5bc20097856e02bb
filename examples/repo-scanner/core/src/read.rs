//! Reading a response that is JSON, within bounds.

use crate::NotFetched;
use http::Response;
use http_body::Body;
use http_body_util::{LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use std::error::Error as StdError;
use tower_egress::{BoxError, DEFAULT_MAX_BYTES, ResponseExt};

/// Reads what a response holds; a body that is too large is given up as soon as that is known.
pub(crate) async fn json<T, B>(response: Response<B>) -> Result<T, NotFetched>
where
    T: DeserializeOwned,
    B: Body<Error: Into<BoxError>>,
{
    let max = DEFAULT_MAX_BYTES;
    let response = response
        .error_for_status()
        .map_err(NotFetched::NoResponse)?;
    // `Limited` would state its own limit for a body that states more.
    if u64::try_from(max).is_ok_and(|max| response.body().size_hint().lower() > max) {
        return Err(NotFetched::TooLarge { max });
    }
    let limited = response.map(|body| Limited::new(body, max));
    limited.into_json().await.map_err(|error| {
        let mut chain = std::iter::successors(error.source(), |&error| error.source());
        if chain.any(|error| error.is::<LengthLimitError>()) {
            NotFetched::TooLarge { max }
        } else {
            NotFetched::Body(error)
        }
    })
}
