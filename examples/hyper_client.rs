//! The whole stack around hyper's client, against a strict test server on real sockets.
//!
//! Forty requests at once to an API that permits twenty a second, five of them in a burst. The server counts.
//!
//! ```text
//! cargo run --example hyper_client
//! ```

use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde::Deserialize;
use std::{num::NonZeroUsize, time::Duration};
use strict_origin::StrictOrigin;
use tower_egress::{Api, Egress, FetchExt, Quota, batch_fetch};

#[derive(Deserialize)]
struct Repository {
    full_name: String,
    stargazers_count: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let origin = StrictOrigin::builder()
        .github("20/1s,burst=5".parse()?)
        .start()
        .await?;

    // Two in a hundred of head-room: what departs evenly does not arrive so.
    let quota = Quota::new(20, Duration::from_millis(1020))?.with_burst(5)?;
    let egress = Egress::builder()
        .concurrency(6)
        .api(
            Api::github()
                .at(&origin.addr().to_string().parse()?)
                .with_quota(quota),
        )
        .build();
    let client = egress.layer(Client::builder(TokioExecutor::new()).build_http());

    let url = origin.url().to_owned();
    let tower: Repository = client
        .get(format!("{url}/repos/tower-rs/tower"))
        .json()
        .await?;
    println!("{} has {} stars", tower.full_name, tower.stargazers_count);

    let requests = (0..40).map(|number| {
        client
            .get(format!("{url}/repos/owner/name-{number}"))
            .build()
    });
    let requests: Vec<_> = requests.collect::<Result<_, _>>()?;
    let forty = NonZeroUsize::new(40).ok_or("forty is not zero")?;
    let responses = batch_fetch(&client, requests, forty).into_vec().await;
    let served = responses
        .iter()
        .flatten()
        .filter(|response| response.status().is_success());
    println!("{} of 40 were served", served.count());

    let status = egress.status();
    println!(
        "{}",
        serde_json::to_string_pretty(&status.rate_limits["github"])?
    );
    println!("at most {} in flight", status.connections.peak);

    let complaints = origin.shutdown().await.complaints();
    println!("the server complains of: {complaints:?}");
    assert!(complaints.is_empty());
    Ok(())
}
