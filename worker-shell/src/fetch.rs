//! Workers fetch as a tower service.

mod body;
mod error;
mod future;
mod head;
mod redirect;
mod service;
mod upload;

pub use self::{
    body::FetchBody,
    error::{FetchError, FetchErrorKind},
    future::FetchFuture,
    head::FinalUrl,
    redirect::Redirect,
    service::Fetch,
};
