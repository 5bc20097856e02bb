//! Writes: which were sent twice, and what came of them.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header::CONTENT_TYPE,
};

use crate::{content::Content, hash::fnv1a};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Remembers the writes of a run.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    /// POSTs without a key that were sent before.
    sent: HashSet<u64>,
    /// What the writes with a key that took place were answered.
    answers: HashMap<String, Answer>,
    items: BTreeMap<String, Item>,
    pub(crate) executed: u64,
    pub(crate) repeated: u64,
    pub(crate) replays: u64,
}

/// One item that was written.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Item {
    pub(crate) writes: u64,
    pub(crate) length: usize,
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    content_type: Option<HeaderValue>,
    body: Bytes,
}

/// Identifies a POST, for the books.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    /// With the idempotency key of its client; keys are apart for each path.
    Keyed(String),
    /// Without one, by path and body.
    Bare(u64),
}

impl Write {
    /// Returns the write that a request is, if it is one that repeating would do twice.
    pub(crate) fn of(
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Option<Self> {
        if method != Method::POST {
            return None;
        }
        let key = headers.get(IDEMPOTENCY_KEY);
        Some(match key.and_then(|key| key.to_str().ok()) {
            Some(key) => Self::Keyed(format!("{path} {key}")),
            None => Self::Bare(fnv1a(path.as_bytes()) ^ fnv1a(body).rotate_left(1)),
        })
    }
}

impl Writes {
    /// Records that a write arrived, whatever becomes of it.
    pub(crate) fn arrive(&mut self, write: &Write) {
        if let Write::Bare(print) = write
            && !self.sent.insert(*print)
        {
            self.repeated += 1;
        }
    }

    /// Returns the answer of a write that took place before, instead of doing it again.
    pub(crate) fn replay(&mut self, write: &Write) -> Option<Response<Content>> {
        let Write::Keyed(key) = write else {
            return None;
        };
        let answer = self.answers.get(key)?;
        self.replays += 1;
        let mut response = Response::new(Content::from(answer.body.clone()));
        *response.status_mut() = answer.status;
        let headers = response.headers_mut();
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
        if let Some(content_type) = &answer.content_type {
            headers.insert(CONTENT_TYPE, content_type.clone());
        }
        Some(response)
    }

    /// Records that a write took place and how it was answered.
    pub(crate) fn done(&mut self, write: Write, response: &Response<Content>) {
        if !response.status().is_success() {
            return;
        }
        self.executed += 1;
        if let (Write::Keyed(key), Some(body)) = (write, response.body().bytes()) {
            let answer = Answer {
                status: response.status(),
                content_type: response.headers().get(CONTENT_TYPE).cloned(),
                body: body.clone(),
            };
            self.answers.insert(key, answer);
        }
    }

    /// Forgets that a write was sent, because its answer asked for it to be sent again.
    pub(crate) fn excuse(&mut self, write: &Write) {
        if let Write::Bare(print) = write {
            self.sent.remove(print);
        }
    }

    /// Writes an item and returns it.
    pub(crate) fn put(&mut self, id: &str, length: usize) -> Item {
        let item = self.items.entry(id.to_owned()).or_default();
        *item = Item {
            writes: item.writes + 1,
            length,
        };
        *item
    }

    pub(crate) fn get(&self, id: &str) -> Option<Item> {
        self.items.get(id).copied()
    }
}
