//! repo-scanner as a Worker: `Scanner`, a Durable Object, does it all, and this hands it what comes.

mod cron;
mod members;
mod object;
mod program;
mod request;
mod rest;
mod settings;
mod work;

use cron::Cron;
use std::time::Duration;
use tower_egress::{Clock, SleepUntil};
use tower_egress_worker::WorkerTimer;
use worker::{
    Context, Env, Method, Request, Response, Result, ScheduleContext, ScheduledEvent, Stub,
    console_error, event,
};

/// How long is waited after each time that the clock was not heard.
const WAITS: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_secs(60),
];

/// The one object. Two would each keep to the limits of an API, and together break them.
fn scanner(env: &Env) -> Result<Stub> {
    env.durable_object("SCANNER")?.get_by_name("scanner")
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, _: Context) -> Result<Response> {
    if Cron::at(&request.path()).is_some() {
        // That is for the clock.
        return Response::error("there is nothing at this path", 404);
    }
    scanner(&env)?.fetch_with_request(request).await
}

#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, _: ScheduleContext) {
    let cron = Cron::of(&event.cron());
    let wake = async || {
        let url = format!("http://scanner{}", cron.path());
        let request = Request::new(&url, Method::Post)?;
        let mut response = scanner(&env)?.fetch_with_request(request).await?;
        match response.status_code() {
            200..300 => Ok(()),
            _ => Err(worker::Error::RustError(response.text().await?)),
        }
    };
    // The platform does not try again, and the next time may be tomorrow.
    for wait in WAITS {
        let Err(error) = wake().await else {
            return;
        };
        console_error!("{cron:?} did not begin: {error}");
        let timer = WorkerTimer::new();
        SleepUntil::new(timer, timer.now() + wait).await;
    }
    if let Err(error) = wake().await {
        console_error!("{cron:?} is left out: {error}");
    }
}
