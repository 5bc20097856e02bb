//! The stack with reqwest as its transport, for programs that have a configured `reqwest::Client` already.
//!
//! [`Reqwest`] below is all that it takes: copy it.
//!
//! ```text
//! cargo run --example reqwest_client
//! ```

use http::{Request, Response};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use strict_origin::{Reply, Script, StrictOrigin};
use tower::Service;
use tower_egress::{Api, BoxError, Egress, FetchExt, Quota, ReplayBody};

/// A `reqwest::Client` as a service of HTTP requests.
#[derive(Clone, Debug)]
pub(crate) struct Reqwest(pub(crate) reqwest::Client);

impl<B> Service<Request<ReplayBody<B>>> for Reqwest
where
    B: http_body::Body<Data = bytes::Bytes> + Send + Sync + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<reqwest::Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReplayBody<B>>) -> Self::Future {
        // Bytes that are at hand go as such, so that reqwest knows their length.
        let request = request.map(|body| match body.as_bytes() {
            Some(bytes) => reqwest::Body::from(bytes.clone()),
            None => reqwest::Body::wrap(body),
        });
        let client = self.0.clone();
        Box::pin(async move {
            // reqwest's errors print the whole URL, and what is secret in it.
            let secretly = reqwest::Error::without_url;
            let request = request.try_into().map_err(secretly)?;
            Ok(client.execute(request).await.map_err(secretly)?.into())
        })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The first attempt meets an overloaded server. A write may be repeated if it carries a key.
    let origin = StrictOrigin::builder()
        .external("50/1s".parse()?)
        .script(Script::new().on("/echo", [Reply::new(http::StatusCode::SERVICE_UNAVAILABLE)]))
        .start()
        .await?;
    let egress = Egress::builder()
        .otherwise(Api::external().with_quota(Quota::new(50, Duration::from_secs(1))?))
        .build();
    // What reqwest would do by itself pays no rate limit: retries are the stack's, and a redirection is a response.
    let reqwest = reqwest::Client::builder()
        .no_proxy()
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none());
    let client = egress.layer(Reqwest(reqwest.build()?));

    let order = serde_json::json!({ "item": "a tower", "count": 1 });
    let echoed: serde_json::Value = client
        .post(format!("{}/echo", origin.url()))
        .header("idempotency-key", "8e03978e-40d5-43dd-bc93-6894a57f9324")
        .json_body(&order)
        .json()
        .await?;
    assert_eq!(
        echoed, order,
        "the body arrived whole, at the second attempt"
    );

    let status = egress.status();
    println!("the server received {echoed}");
    println!(
        "sent again: {}, {:?}",
        status.retries.retries, status.performance["external"].outcomes
    );
    let score = origin.shutdown().await;
    println!("the server complains of: {:?}", score.complaints());
    assert!(score.complaints().is_empty() && status.retries.retries == 1);
    Ok(())
}
