//! repo-scanner as a Worker: [`Scanner`](object::Scanner), a Durable Object, does it all, and this hands it what comes.

mod cron;
mod members;
mod object;
mod program;
mod request;
mod rest;
mod settings;
mod work;

use cron::Cron;
use worker::{
    Context, Env, Method, Request, Response, Result, ScheduleContext, ScheduledEvent, Stub,
    console_error, event,
};

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
    let woken = async {
        let url = format!("http://scanner{}", cron.path());
        let request = Request::new(&url, Method::Post)?;
        let mut response = scanner(&env)?.fetch_with_request(request).await?;
        match response.status_code() {
            200..300 => Ok(()),
            _ => Err(worker::Error::RustError(response.text().await?)),
        }
    };
    if let Err(error) = woken.await {
        console_error!("{cron:?} did not begin: {error}");
    }
}
