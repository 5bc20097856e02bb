//! What becomes of a request, and where it spends its time.

use std::fmt;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// A response below 400 whose body was read to its end.
    Ok,
    /// A response of 400 or above, whatever became of its body.
    HttpError,
    /// Refused by a layer before anything was sent.
    Refused,
    /// Given up because an attempt's or the whole request's time was over, body included.
    TimedOut,
    /// Dropped by its caller: the future before its response, or the body of a good response before its end.
    Cancelled,
    /// Failed otherwise: the transport, or the body.
    Failed,
}

impl Outcome {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Ok,
        Self::HttpError,
        Self::Refused,
        Self::TimedOut,
        Self::Cancelled,
        Self::Failed,
    ];

    /// Returns its name as metrics write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::HttpError => "http_error",
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    pub(crate) const COUNT: usize = Self::ALL.len();

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A part of a request's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Waiting for rate limits, over all attempts. Every request has it, mostly as zero.
    RateWait,
    /// Waiting for connections, over all attempts. Every request has it, mostly as zero.
    QueueWait,
    /// From the last dispatch to the response's headers, or to where they were no longer waited for.
    ///
    /// Where no layer says when it sends, from the start. A request that was never sent has none.
    Headers,
    /// From the headers to the end of the body. A response without a body has zero, a request without a response none.
    Body,
    /// From the call to the end. Every request has it.
    Total,
}

impl Phase {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::RateWait,
        Self::QueueWait,
        Self::Headers,
        Self::Body,
        Self::Total,
    ];

    /// Returns its name as metrics write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateWait => "rate_wait",
            Self::QueueWait => "queue_wait",
            Self::Headers => "headers",
            Self::Body => "body",
            Self::Total => "total",
        }
    }

    pub(crate) const COUNT: usize = Self::ALL.len();

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
