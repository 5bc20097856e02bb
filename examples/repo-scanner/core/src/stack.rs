//! The stack that a scan goes through.

use http::Uri;
use std::{num::NonZeroUsize, time::Duration};
use tower_egress::{Api, EgressBuilder, Quota, Timer};

/// A batch job has time: what would fail a web request is worth waiting for here.
const MAX_WAIT: Duration = Duration::from_secs(900);

/// Sets a stack up for scans of GitHub, and for Anthropic, or for what stands in for them at these addresses, with the limits
/// that they are known to have.
pub fn stack<T: Timer>(
    builder: EgressBuilder<T>,
    github: (&Uri, Quota),
    anthropic: (&Uri, Quota),
    concurrency: NonZeroUsize,
) -> EgressBuilder<T> {
    let api = Api::anthropic().with_quota(anthropic.1);
    builder
        .concurrency(concurrency)
        .api(at(Api::github().with_quota(github.1), github.0, ""))
        // A server that stands in for both has one address.
        .api(at(api, anthropic.0, "/v1/messages"))
        .max_wait(MAX_WAIT)
        .queue_timeout(MAX_WAIT)
        // A repository is some kilobytes: who needs longer for them than for an attempt holds a connection up.
        .attempt_covers_body()
}

fn at(api: Api, base: &Uri, path: &str) -> Api {
    match base.authority() {
        Some(authority) => {
            let under = base.path().trim_end_matches('/');
            api.with_host(format!("{authority}{under}{path}"))
        }
        None => api,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use egress_time::{Clock, ManualTimer, SleepUntil};
    use http::{Request, Response};
    use http_body::{Body, Frame};
    use std::{
        convert::Infallible,
        future::{Ready, ready},
        pin::Pin,
        task::{Context, Poll},
    };
    use tower_egress::{Egress, ErrorKind, FetchExt, SleepUntil as Sleep};
    use tower_service::Service;

    /// A server whose every response is a byte a second, for ever.
    #[derive(Clone)]
    struct Dripping(ManualTimer);

    impl<B> Service<Request<B>> for Dripping {
        type Response = Response<Drip>;
        type Error = Infallible;
        type Future = Ready<Result<Response<Drip>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<B>) -> Self::Future {
            ready(Ok(Response::new(Drip::new(&self.0))))
        }
    }

    struct Drip(ManualTimer, Pin<Box<Sleep<ManualTimer>>>);

    impl Drip {
        fn new(timer: &ManualTimer) -> Self {
            let next = timer.now() + Duration::from_secs(1);
            Self(
                timer.clone(),
                Box::pin(SleepUntil::new(timer.clone(), next)),
            )
        }
    }

    impl Body for Drip {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.1.as_mut().poll(cx).map(|_| {
                *self = Self::new(&self.0);
                Some(Ok(Frame::data(Bytes::from_static(b" "))))
            })
        }
    }

    #[test]
    fn a_body_that_drips_holds_a_connection_for_one_attempt() {
        let timer = ManualTimer::new();
        let base = Uri::from_static("http://example.com");
        let six = NonZeroUsize::new(6).unwrap();
        let builder = Egress::builder_on(timer.clone());
        let (github, anthropic) = ((&base, Quota::GITHUB), (&base, Quota::ANTHROPIC));
        let egress = stack(builder, github, anthropic, six).build();
        let client = egress.layer(Dripping(timer.clone()));
        let started = timer.now();
        let until = started + Duration::from_secs(3600);
        let read = client.get("http://example.com/repos/a/b").bytes();
        let error = timer.run_until(read, until).unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(timer.now() - started, Duration::from_secs(30));
        assert_eq!(egress.status().connections.active, 0);
    }
}
