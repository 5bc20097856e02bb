//! Why a repository was not fetched, in few words.

use crate::NotFetched;
use http::StatusCode;
use tower_egress::{Error, ErrorKind};

/// Why a repository was not fetched, and what that says about the server.
pub(crate) struct Reason {
    /// In few words, without what differs from one repository to the next.
    pub(crate) text: String,
    pub(crate) server: ServerIs,
}

/// What a failure says about the server.
#[derive(Clone, Copy)]
pub(crate) enum ServerIs {
    There,
    /// Nothing: the request was not sent.
    Unknown,
    /// It is of no use: it does not answer, or does not let us in.
    Gone,
}

impl Reason {
    /// A model has nothing to say.
    pub(crate) fn no_text() -> Self {
        let text = "the answer has no text".to_owned();
        let server = ServerIs::There;
        Self { text, server }
    }

    pub(crate) fn of(error: &NotFetched) -> Self {
        let (text, kind) = match error {
            NotFetched::NoResponse(error) => (because(error), error.kind()),
            NotFetched::Body(error) if error.kind() == ErrorKind::TimedOut => {
                ("the response took too long".to_owned(), error.kind())
            }
            NotFetched::Body(error) => (because(error), error.kind()),
            NotFetched::TooLarge { .. } => {
                ("the response is too large".to_owned(), ErrorKind::Body)
            }
        };
        let server = match kind {
            ErrorKind::Transport | ErrorKind::TimedOut => ServerIs::Gone,
            // Whoever is not let in is let in for no repository.
            ErrorKind::Status(StatusCode::UNAUTHORIZED) => ServerIs::Gone,
            ErrorKind::Queue | ErrorKind::BodiesHeld | ErrorKind::RateLimited { .. } => {
                ServerIs::Unknown
            }
            _ => ServerIs::There,
        };
        Self { text, server }
    }
}

fn because(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Status(status) => format!("the server answered {status}"),
        ErrorKind::RateLimited { .. } => "rate limited for too long".to_owned(),
        ErrorKind::Queue => "no connection became free".to_owned(),
        ErrorKind::BodiesHeld => "responses that nobody reads hold all connections".to_owned(),
        ErrorKind::TimedOut => "timed out".to_owned(),
        ErrorKind::DeadlineExceeded => "the deadline has passed".to_owned(),
        ErrorKind::InvalidRequest => "the request could not be built".to_owned(),
        ErrorKind::Body => "the response broke off".to_owned(),
        ErrorKind::Decode => "the response is not a repository".to_owned(),
        _ => format!("the connection failed: {}", root_cause(error)),
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let root = std::iter::successors(Some(error), |&error| error.source()).last();
    root.unwrap_or(error).to_string()
}
