//! What a test asks for.

use crate::said;
use bytes::Bytes;
use http::{Method, Request};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use std::{
    collections::HashMap,
    pin::Pin,
    task::{Context, Poll},
};
use tower_egress::UseApi;
use tower_egress_worker::Redirect;
use worker::{Error, Result};

/// A route with its parameters.
pub(crate) struct Ask {
    route: String,
    parameters: HashMap<String, String>,
}

impl Ask {
    pub(crate) fn new(request: &worker::Request) -> Result<Self> {
        let url = request.url()?;
        Ok(Self {
            route: url.path().trim_start_matches('/').to_owned(),
            parameters: url.query_pairs().into_owned().collect(),
        })
    }

    pub(crate) fn route(&self) -> &str {
        &self.route
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    fn bare(&self, url: &str) -> http::request::Builder {
        let method: Method = self
            .text("method")
            .unwrap_or("GET")
            .parse()
            .unwrap_or_default();
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header("user-agent", "tests");
        if self.text("redirect") == Some("follow") {
            request = request.extension(Redirect::Follow);
        }
        if let Some(api) = self.text("api") {
            request = request.extension(UseApi(api.to_owned().into()));
        }
        if let Some(key) = self.text("idempotency-key") {
            request = request.header("idempotency-key", key);
        }
        if let Some(value) = self.text("latin1") {
            request = request.header(
                "x-latin1",
                value
                    .chars()
                    .map(|c| u8::try_from(c).unwrap_or(b'?'))
                    .collect::<Vec<_>>(),
            );
        }
        request
    }

    /// Returns the request that is to be made, with a body in memory.
    pub(crate) fn request(&self) -> Result<Request<Full<Bytes>>> {
        let url = self.text("url").ok_or_else(|| Error::from("where to?"))?;
        let body = match self.number("size") {
            Some(size) => Bytes::from(vec![b'x'; usize::try_from(size).map_err(said)?]),
            None => self.text("body").unwrap_or_default().to_owned().into(),
        };
        self.bare(url).body(Full::new(body)).map_err(said)
    }

    /// Returns the request that is to be made, with a body that comes in chunks.
    pub(crate) fn streamed(&self) -> Result<Request<Chunks>> {
        let url = self.text("url").ok_or_else(|| Error::from("where to?"))?;
        let chunks = Chunks::new(self);
        self.bare(url).body(chunks).map_err(said)
    }
}

/// A body of `chunks` of 1,000 bytes, which `fails` at its end or not.
pub(crate) struct Chunks {
    left: u64,
    fails: bool,
    /// Whether each takes a turn of the event loop: unless it is `ready`.
    yields: bool,
    yielded: bool,
    /// Whether it `tells` with its last chunk that it is the last.
    tells: bool,
    /// How long it `says` that it is.
    says: Option<u64>,
}

impl Chunks {
    pub(crate) fn new(ask: &Ask) -> Self {
        Self {
            left: ask.number("chunks").unwrap_or(1),
            fails: ask.text("fails").is_some(),
            yields: ask.text("ready").is_none(),
            yielded: false,
            tells: ask.text("tells").is_some(),
            says: ask.number("says"),
        }
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Self::Error>>> {
        if self.yields && !std::mem::replace(&mut self.yielded, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.yielded = false;
        if self.left == 0 {
            return Poll::Ready(self.fails.then(|| Err("as it was asked to".into())));
        }
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'c'; 1000])))))
    }

    fn is_end_stream(&self) -> bool {
        self.tells && self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        self.says
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
