#![doc = include_str!("../README.md")]

mod bridge;
mod d1;
mod disconnect;
mod egress;
mod fetch;
mod reply;
mod timer;

pub use self::{
    d1::D1,
    disconnect::{UntilDisconnect, until_disconnect},
    egress::egress,
    fetch::{Fetch, FetchBody, FetchError, FetchErrorKind, FetchFuture, FinalUrl, Redirect},
    reply::{InvalidReply, Reply, memory_bytes, status_response},
    timer::{WorkerSleep, WorkerTimer},
};
pub use tower_egress::ServerTiming;
