//! octocrab, an existing GitHub client, on our stack instead of its own.
//!
//! Its requests now keep the rate limit, its throttled calls are repeated when GitHub says so and not before, and its
//! bodies are sent again as they were.
//!
//! ```text
//! cargo run --example octocrab_client
//! ```

use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use octocrab::{AuthState, OctocrabBuilder, service::middleware::base_uri::BaseUriLayer};
use std::time::Duration;
use strict_origin::{Reply, Script, StrictOrigin};
use tower_egress::{Api, Egress, Quota};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The server answers the first request for one repository with "too many requests, come back in a second".
    let throttled = Reply::new(http::StatusCode::TOO_MANY_REQUESTS)
        .header("retry-after", "1")
        .wait(Duration::from_secs(1));
    let origin = StrictOrigin::builder()
        .github("50/1s,burst=5".parse()?)
        .script(Script::new().on("/repos/hyperium/hyper", [throttled]))
        .start()
        .await?;

    // Two in a hundred of head-room: what departs evenly does not arrive so.
    let quota = Quota::new(50, Duration::from_millis(1020))?.with_burst(5)?;
    let egress = Egress::builder()
        .api(
            Api::github()
                .at(&origin.addr().to_string().parse()?)
                .with_quota(quota),
        )
        .build();
    let octocrab = OctocrabBuilder::new_empty()
        .with_service(egress.layer(Client::builder(TokioExecutor::new()).build_http()))
        .with_layer(&BaseUriLayer::new(origin.url().parse()?))
        .with_auth(AuthState::None)
        .build()?;

    let mut lookups = tokio::task::JoinSet::new();
    for name in [
        "tower", "hyper", "axum", "tokio", "h2", "bytes", "http", "tonic",
    ] {
        let octocrab = octocrab.clone();
        lookups.spawn(async move { octocrab.repos("hyperium", name).get().await });
    }
    while let Some(repository) = lookups.join_next().await {
        let repository = repository??;
        println!(
            "{:<20} {:>6} stars",
            repository.full_name.unwrap_or_default(),
            repository.stargazers_count.unwrap_or_default()
        );
    }

    let status = egress.status();
    println!(
        "sent again: {}; longest request: {:.0} ms",
        status.retries.retries, status.performance["github"].lifetime["total"].max_ms
    );
    let complaints = origin.shutdown().await.complaints();
    println!("the server complains of: {complaints:?}");
    assert!(complaints.is_empty() && status.retries.retries == 1);
    Ok(())
}
