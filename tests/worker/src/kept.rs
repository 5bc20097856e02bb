//! What is kept from one invocation for another, which nobody should do.

use crate::{Ask, one::failed};
use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use std::{any::Any, cell::RefCell, time::Duration};
use tower_egress::{Clock, SleepUntil};
use tower_egress_worker::{Fetch, WorkerTimer};
use tower_service::Service;
use worker::Result;

thread_local! {
    static KEPT: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

/// Keeps a fetch whose answer has not come, a body of which a part was read, and a sleep.
pub(crate) async fn keep(ask: &Ask) -> Result<Value> {
    let mut client = Fetch::new();
    let mut body = client
        .call(ask.request()?)
        .await
        .map_err(failed)?
        .into_body();
    body.frame().await.transpose().map_err(failed)?;
    let mut asked = Box::pin(Service::<http::Request<Full<Bytes>>>::call(
        &mut client,
        ask.request()?,
    ));
    let mut asleep = Box::pin(SleepUntil::new(
        WorkerTimer::new(),
        WorkerTimer::new().now() + Duration::from_secs(60),
    ));
    let ready = (&mut asked).now_or_never().is_some() || (&mut asleep).now_or_never().is_some();
    KEPT.with_borrow_mut(|kept| {
        kept.extend([
            Box::new(body) as Box<dyn Any>,
            Box::new(asked),
            Box::new(asleep),
        ])
    });
    Ok(json!({ "ready": ready }))
}

/// Drops it.
pub(crate) fn forget() -> Value {
    let kept = KEPT.take();
    json!({ "kept": kept.len() })
}
