//! The monitor and flags of an isolate.

use crate::{Ask, one::failed, said};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::{sync::LazyLock, time::Duration};
use tower_egress::{
    Api, Clock, Egress, SleepUntil, Switch,
    flags::{FlagKey, Flags},
    monitor::{DataPoint, Monitor},
};
use tower_egress_worker::{Fetch, WorkerTimer, egress};
use tower_service::Service;
use worker::{
    Env, Error, Result,
    js_sys::{Function, JSON, Reflect},
    wasm_bindgen::{JsCast, JsValue},
};

static MONITOR: LazyLock<Monitor<WorkerTimer>> =
    LazyLock::new(|| Monitor::new(WorkerTimer::new()).with_forget_after(Duration::from_secs(1)));

static FLAGS: LazyLock<Flags> = LazyLock::new(|| Flags::builder().layers().build());

static EGRESS: LazyLock<Egress<WorkerTimer>> = LazyLock::new(|| {
    let egress = egress().otherwise(Api::new("free"));
    egress.flags(FLAGS.clone()).build()
});

/// Takes on a configuration, `config` or else variables, `new`, and tells what holds.
pub(crate) fn flags(ask: &Ask) -> Result<Value> {
    let applied = match (ask.text("config"), ask.text("variable")) {
        (Some(config), _) => FLAGS.apply_json(config),
        (None, Some(variable)) => {
            let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
            FLAGS.apply_env("FLAG_", [(name.to_owned(), value.to_owned())])
        }
        (None, None) => Ok(()),
    };
    let error = applied.err().map(|error| error.to_string());
    let status = serde_json::to_value(EGRESS.status().flags).map_err(said)?;
    Ok(json!({ "error": error, "flags": status }))
}

/// Sends a request of `key`, and tells for which keys of sixty-four a layer is on.
pub(crate) async fn flagged(ask: &Ask) -> Result<Value> {
    let mut client = EGRESS.for_invocation().layer(Fetch::new());
    let mut request = ask.request()?;
    let key = ask.text("key").unwrap_or_default().to_owned();
    request.extensions_mut().insert(FlagKey(key.into()));
    let response = client
        .call(request)
        .await
        .map_err(|error| Error::RustError(error.to_string()))?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await;
    let is_on = |switch: Switch| {
        let on = (0..64).filter(|user| FLAGS.is_on(switch.as_str(), &format!("user-{user}")));
        on.collect::<Vec<u32>>()
    };
    Ok(json!({
        "status": status,
        "read": body.is_ok(),
        "retries": is_on(Switch::Retries),
        "timing": is_on(Switch::Timing),
    }))
}

/// Sleeps as a run of the operation `name`.
pub(crate) async fn run(ask: &Ask) -> Value {
    let timer = WorkerTimer::new();
    let time = Duration::from_millis(ask.number("ms").unwrap_or(0));
    let sleep = SleepUntil::new(timer, timer.now() + time);
    let name = ask.text("name").unwrap_or("sleep");
    let ended = MONITOR.time(name, sleep).await;
    json!({ "ok": ended.is_ok() })
}

pub(crate) fn report() -> Result<Value> {
    MONITOR.check();
    serde_json::to_value(MONITOR.report()).map_err(said)
}

/// Asks for `url` twice, as one invocation does that watches itself, and writes its data point to the dataset.
pub(crate) async fn point(ask: &Ask, env: &Env) -> Result<Value> {
    let monitor = Monitor::new(WorkerTimer::new());
    monitor.check();
    let egress = EGRESS.for_invocation();
    let tally = egress.tally();
    let client = egress.layer(Fetch::new()).with_tally(&tally);
    for _ in 0..2 {
        let asked = async {
            let response = client.clone().call(ask.request()?).await.map_err(failed)?;
            response.into_body().collect().await.map_err(failed)
        };
        monitor.run("ask", asked).await.map_err(said)??;
    }
    let point = DataPoint::of("invocation", &monitor.report(), Some(&tally));
    let text = serde_json::to_string(&point).map_err(said)?;
    let dataset = JsValue::from(env.analytics_engine("DATASET")?);
    let write: Function = Reflect::get(&dataset, &"writeDataPoint".into())?.dyn_into()?;
    write.call1(&dataset, &JSON::parse(&text)?)?;
    Ok(json!({ "written": true }))
}
