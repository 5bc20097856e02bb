//! Many requests, a few at a time.

use super::{FetchExt, ResponseExt};
use crate::Error;
use bytes::Bytes;
use egress_backoff::RetryInfo;
use futures_core::Stream;
use futures_util::{
    StreamExt,
    stream::{FuturesOrdered, FuturesUnordered},
};
use http::{Request, Response};
use http_body_util::Full;
use pin_project_lite::pin_project;
use std::{
    collections::VecDeque,
    fmt,
    future::{Future, poll_fn},
    iter::Fuse,
    num::NonZeroUsize,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// Sends many requests, at most `concurrency` at a time, and reads each response to its end.
///
/// The results come in the order of the requests; each is a response whatever its status, or an error of its
/// own. Take them all at once with [`BatchFetch::into_vec`], or one by one as a [`Stream`].
///
/// # Why the stream works in waves
///
/// A consumer that fetches something itself between two items does not poll the stream meanwhile. If requests
/// of the stream were under way then, they would sit on their connections unpolled, and the consumer could
/// wait for one of those for ever ([futures-rs#2387](https://github.com/rust-lang/futures-rs/issues/2387)).
/// So the stream yields its first item when a whole wave of `concurrency` requests is done and nothing is under
/// way; the next wave starts when the last item has been taken. [`BatchFetch::into_vec`] has no consumer in between and keeps
/// `concurrency` requests going all the time.
///
/// # Cancel safety
///
/// Dropping the stream or the future drops the requests under way; requests not yet started are never sent.
///
/// ```
/// use std::num::NonZeroUsize;
/// use tower_egress::{Error, FetchExt, batch_fetch};
/// # use egress_time::ManualTimer;
/// # use tower_egress::{BoxError, Egress};
/// # let http_client = tower::service_fn(|request: http::Request<_>| async move {
/// #     Ok::<_, BoxError>(http::Response::new(http_body_util::Full::<bytes::Bytes>::from(request.uri().path().to_owned())))
/// # });
/// # let timer = ManualTimer::new();
/// # let client = Egress::builder_on(timer.clone()).build().layer(http_client);
/// # timer.run(async {
/// let requests = ["a", "b", "c"].map(|name| client.get(format!("https://example.com/{name}")).build());
/// let requests = requests.into_iter().collect::<Result<Vec<_>, _>>()?;
/// let two = NonZeroUsize::MIN.saturating_add(1);
/// for response in batch_fetch(&client, requests, two).into_vec().await {
///     println!("{} bytes", response?.body().len());
/// }
/// # Ok::<_, Error>(()) }).unwrap();
/// ```
pub fn batch_fetch<S, I>(
    service: &S,
    requests: I,
    concurrency: NonZeroUsize,
) -> BatchFetch<impl Iterator<Item: Future<Output = BatchResult>> + use<S, I>>
where
    S: FetchExt,
    I: IntoIterator<Item = Request<Full<Bytes>>>,
{
    let service = service.clone();
    BatchFetch {
        fetches: requests
            .into_iter()
            .map(move |request| fetch_whole(service.clone(), request))
            // The stream asks again after the end, and an iterator may begin anew after its own.
            .fuse(),
        concurrency,
        wave: FuturesOrdered::new(),
        done: VecDeque::new(),
    }
}

type BatchResult = Result<Response<Bytes>, Error>;

async fn fetch_whole<S: FetchExt>(mut service: S, request: Request<Full<Bytes>>) -> BatchResult {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let result = async {
        let failed = |error: S::Error| Error::of_service(error.into());
        poll_fn(|cx| service.poll_ready(cx)).await.map_err(failed)?;
        let response = service.call(request).await.map_err(failed)?;
        let (parts, body) = response.into_parts();
        // Whatever its status. An error of the body says how often it was sent, too.
        let mut whole = Response::new(body);
        if let Some(info) = parts.extensions.get::<RetryInfo>() {
            whole.extensions_mut().insert(*info);
        }
        // The connection is given back here, inside the future that was given one of `concurrency` places.
        let bytes = whole.into_bytes().await?;
        Ok(Response::from_parts(parts, bytes))
    };
    result
        .await
        .map_err(|error: Error| error.with_target(&method, &uri))
}

pin_project! {
    /// The requests of a [`batch_fetch`]: a [`Stream`] of their results, or a `Vec` of them.
    #[must_use = "nothing is sent until it is polled"]
    pub struct BatchFetch<I: Iterator>
    where
        I::Item: Future,
    {
        fetches: Fuse<I>,
        concurrency: NonZeroUsize,
        wave: FuturesOrdered<I::Item>,
        done: VecDeque<<I::Item as Future>::Output>,
    }
}

impl<I: Iterator<Item: Future>> BatchFetch<I> {
    /// Fetches everything and returns the results in the order of the requests.
    pub async fn into_vec(self) -> Vec<<I::Item as Future>::Output> {
        let Self {
            mut fetches,
            concurrency,
            wave,
            done,
        } = self;
        // What a stream has begun comes first.
        let mut results: Vec<_> = done.into_iter().map(Some).collect();
        results.extend(wave.map(Some).collect::<Vec<_>>().await);
        // Not in order: one slow request at the head must not keep the others from starting.
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < concurrency.get()
                && let Some(fetch) = fetches.next()
            {
                let place = results.len();
                results.push(None);
                under_way.push(async move { (place, fetch.await) });
            }
            match under_way.next().await {
                Some((place, result)) => results[place] = Some(result),
                None => return results.into_iter().flatten().collect(),
            }
        }
    }
}

impl<I: Iterator<Item: Future>> Stream for BatchFetch<I> {
    type Item = <I::Item as Future>::Output;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        if this.wave.is_empty() && this.done.is_empty() {
            this.wave
                .extend(this.fetches.by_ref().take(this.concurrency.get()));
        }
        while let Some(result) = ready!(this.wave.poll_next_unpin(cx)) {
            this.done.push_back(result);
        }
        Poll::Ready(this.done.pop_front())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (low, high) = self.fetches.size_hint();
        let ours = self.wave.len() + self.done.len();
        (
            low.saturating_add(ours),
            high.and_then(|high| high.checked_add(ours)),
        )
    }
}

impl<I: Iterator<Item: Future>> fmt::Debug for BatchFetch<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchFetch")
            .field("concurrency", &self.concurrency)
            .field("under_way", &self.wave.len())
            .finish_non_exhaustive()
    }
}
