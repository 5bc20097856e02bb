//! A response body on its way out, which tells the score how it ended.
#![allow(
    clippy::disallowed_methods,
    reason = "slow bodies pause on the origin's own runtime"
)]

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::{
    connection::{Connection, Hangup},
    content::Content,
    state::Shared,
};

/// How long a body that breaks off waits before it does, so that what came before it is on the
/// wire.
const BEFORE_CUT: Duration = Duration::from_millis(10);

/// The body type of every response.
pub(crate) struct Outgoing {
    content: Content,
    /// The most bytes of one piece.
    piece: u64,
    /// How many bytes may still go out before the body breaks off.
    until_cut: Option<u64>,
    sleep: Option<Pin<Box<Sleep>>>,
    connection: Arc<Connection>,
    open: Option<OpenBody>,
}

impl Outgoing {
    /// Sends `content`; `served` is the path that counts as served once the body is written in
    /// full.
    pub(crate) fn new(
        shared: &Arc<Shared>,
        connection: Arc<Connection>,
        content: Content,
        served: Option<String>,
    ) -> Self {
        if content.is_empty() {
            if let Some(path) = served {
                shared.state().tally.served_path(path);
            }
            return Self::untracked(connection, content);
        }
        let mut body = Self::untracked(connection, content);
        body.open = Some(OpenBody::new(
            Arc::clone(shared),
            served,
            body.content.cut.is_some(),
        ));
        body
    }

    /// Sends `content` without telling the score.
    pub(crate) fn untracked(connection: Arc<Connection>, content: Content) -> Self {
        let pieces = content.pieces.unwrap_or(1).max(1);
        Self {
            piece: content.len().div_ceil(pieces),
            until_cut: content.cut.map(|cut| cut.after),
            content,
            sleep: None,
            connection,
            open: None,
        }
    }

    fn next_piece(&mut self) -> Bytes {
        let most = self
            .until_cut
            .map_or(self.piece, |left| left.min(self.piece));
        let piece = self.content.next_piece(most);
        if let Some(left) = &mut self.until_cut {
            *left = left.saturating_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        }
        piece
    }

    fn pause(&self) -> Option<Duration> {
        match self.until_cut {
            Some(0) => Some(BEFORE_CUT),
            _ if self.content.is_empty() || self.content.pause.is_zero() => None,
            _ => Some(self.content.pause),
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Hangup;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Hangup>>> {
        if let Some(sleep) = &mut self.sleep {
            ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        }
        if self.until_cut == Some(0) {
            let reset = self.content.cut.is_some_and(|cut| cut.reset);
            return Poll::Ready(Some(Err(self.connection.hang_up(reset))));
        }
        if self.content.is_empty() {
            return Poll::Ready(None);
        }
        let piece = self.next_piece();
        self.sleep = self.pause().map(|pause| Box::pin(sleep(pause)));
        if self.content.is_empty()
            && let Some(open) = self.open.take()
        {
            // The last piece is the end: nobody polls a body of known length again after it.
            open.complete();
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_empty() && self.until_cut != Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        match self.until_cut {
            // The head claims a length that the body will not reach.
            Some(_) => SizeHint::default(),
            None => SizeHint::with_exact(self.content.len()),
        }
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("content", &self.content)
            .finish_non_exhaustive()
    }
}

/// Counts a body as open until it is dropped.
#[derive(Debug)]
struct OpenBody {
    shared: Arc<Shared>,
    served: Option<String>,
    /// The origin itself breaks it off.
    intended: bool,
    complete: bool,
}

impl OpenBody {
    fn new(shared: Arc<Shared>, served: Option<String>, intended: bool) -> Self {
        shared.state().tally.open_bodies.rise();
        Self {
            shared,
            served,
            intended,
            complete: false,
        }
    }

    fn complete(mut self) {
        self.complete = true;
    }
}

impl Drop for OpenBody {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.tally.open_bodies.fall();
        if self.complete {
            state.tally.bodies_completed += 1;
            if let Some(path) = self.served.take() {
                state.tally.served_path(path);
            }
        } else if !self.intended {
            state.tally.bodies_aborted += 1;
        }
    }
}
