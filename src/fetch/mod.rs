//! Safe ways to fetch, on any HTTP service.
//!
//! [`FetchExt`] gives every `Service<http::Request<Full<Bytes>>>` – a stack of ours, or a bare client – the
//! methods that one would write again for each program: build a request, send it, check the status, read the body
//! to its end and no further than allowed, decode it. Every path frees the connection.

mod batch;
mod json;
mod request;
mod response;

pub use self::{
    batch::{BatchFetch, batch_fetch},
    json::DecodeError,
    request::{FetchExt, RequestBuilder},
    response::{DEFAULT_MAX_BYTES, ResponseExt},
};
