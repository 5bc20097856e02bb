//! A Durable Object that uses the stack.

use crate::{Ask, one::failed};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use std::time::Duration;
use tower_egress::{Api, Egress, Quota};
use tower_egress_worker::{Fetch, WorkerTimer, egress};
use tower_service::Service;
use worker::{DurableObject, Env, Request, Response, Result, State, durable_object, wasm_bindgen};

/// It has an egress of its own for all its requests: in one object the wait list may be shared.
#[durable_object]
pub(crate) struct Gate {
    egress: Egress<WorkerTimer>,
}

impl DurableObject for Gate {
    fn new(_: State, _: Env) -> Self {
        let quota = Quota::new(20, Duration::from_secs(1)).and_then(|quota| quota.with_burst(2));
        let api = Api::external().with_quota(quota.expect("that is a quota"));
        Self {
            egress: egress()
                .concurrency(2)
                .otherwise(api)
                .build()
                .for_invocation(),
        }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        let ask = Ask::new(&request)?;
        let mut client = self.egress.layer(Fetch::new());
        let response = client.call(ask.request()?).await.map_err(failed)?;
        let status = response.status().as_u16();
        let body: Bytes = response
            .into_body()
            .collect()
            .await
            .map_err(failed)?
            .to_bytes();
        let stats = self.egress.connections().stats();
        Response::from_json(
            &json!({ "status": status, "length": body.len(), "peak": stats.peak_in_flight }),
        )
    }
}

/// Asks the object `name` to fetch `url`.
pub(crate) async fn ask(ask: &Ask, env: &Env) -> Result<Value> {
    let stub = env
        .durable_object("GATE")?
        .get_by_name(ask.text("name").unwrap_or("one"))?;
    let request: http::Request<Full<Bytes>> = ask.request()?;
    let mut url = worker::Url::parse("http://gate/")?;
    url.query_pairs_mut()
        .append_pair("url", &request.uri().to_string());
    let mut response = stub.fetch_with_str(url.as_str()).await?;
    response.json().await
}
