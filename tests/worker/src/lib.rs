//! A Worker that does what the tests in workerd ask it to do: `*.test.mjs` name a route and say with what.
//!
//! Each route answers with JSON about what has happened, so that the tests read as a list of what is expected.

mod ask;
mod bodies;
mod d1;
mod kept;
mod many;
mod object;
mod one;
mod replies;
mod stack;
mod toolbox;
mod watch;

use ask::Ask;
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use serde_json::{Value, json};
use tower_egress_worker::{D1, Reply, memory_bytes, status_response, until_disconnect};
use worker::{Context, Env, Error, Result, ScheduleContext, ScheduledEvent, event, web_sys};

#[event(fetch)]
async fn fetch(request: worker::Request, env: Env, context: Context) -> Result<web_sys::Response> {
    if request.url()?.path() == "/watch/deaf" {
        // Nobody notices when its client goes: the runtime ends the invocation, and nothing in it is dropped.
        return answer(&request, &env, &context).await;
    }
    let signal = request.inner().signal();
    let answered = until_disconnect(&signal, answer(&request, &env, &context)).await;
    answered.unwrap_or_else(|| Err(Error::from("nobody reads this")))
}

async fn answer(
    request: &worker::Request,
    env: &Env,
    context: &Context,
) -> Result<web_sys::Response> {
    let ask = Ask::new(request)?;
    if ask.route().starts_with("d1/") {
        let body = request.clone()?.text().await?;
        let answered = d1::route(ask.route(), D1::from_env(env, "DB")?, &body).await;
        return as_json(&answered.ok_or_else(|| Error::from("there is no such route"))?);
    }
    let answer = match ask.route() {
        "one" => one::through_the_stack(&ask).await?,
        "bare" => one::bare(&ask).await?,
        "timed" => return reply(one::timed(&ask).await?),
        "many" => many::at_once(&ask).await?,
        "aborted" => many::aborted(&ask).await?,
        "sleeps" => many::sleeps(&ask).await,
        "later" => many::later(&ask, context),
        "half" => bodies::half(&ask).await?,
        "unread" => bodies::unread(&ask).await?,
        "pass" => return bodies::pass(&ask).await,
        "stream" => return bodies::stream(&ask),
        "rows" => return toolbox::rows(&ask, request).await,
        "items" => toolbox::items(&ask).await?,
        "sources" => toolbox::sources(),
        "toolbox" => toolbox::case(&ask).await,
        "reply" => return replies::reply(&ask),
        "packed" => return replies::packed(&ask),
        "refused-reply" => replies::refused(&ask).await?,
        "gone-before" => replies::gone_before().await,
        "keep" => kept::keep(&ask).await?,
        "forget" => kept::forget(),
        "dropped-streams" => bodies::dropped(),
        "object" => object::ask(&ask, env).await?,
        "last-cron" => many::last_cron(),
        "memory" => json!({ "bytes": memory_bytes() }),
        "status" => return reply(status_response(&stack::invocation())?),
        "watch/run" | "watch/deaf" => watch::run(&ask).await,
        "watch/report" => watch::report()?,
        "watch/point" => watch::point(&ask, env).await?,
        "watch/flags" => watch::flags(&ask)?,
        "watch/flagged" => watch::flagged(&ask).await?,
        "panic" => panic!("as it was asked to"),
        route => return Err(Error::RustError(format!("there is no route {route:?}"))),
    };
    as_json(&answer)
}

#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, _: Env, _: ScheduleContext) {
    many::on_cron(&event).await;
}

fn as_json(answer: &Value) -> Result<web_sys::Response> {
    reply(Response::new(Full::<Bytes>::from(answer.to_string())))
}

fn reply(response: Response<Full<Bytes>>) -> Result<web_sys::Response> {
    Reply(response).into_js().map_err(said)
}

/// Makes of an error what a handler may return.
fn said(error: impl std::error::Error) -> Error {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    Error::RustError(text)
}
