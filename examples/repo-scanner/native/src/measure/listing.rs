//! `/api/repos` of a long list, by a server that is a process of its own.

use super::{
    Folder,
    scanned::this_program,
    situation::{DATABASE, off_text},
};
use crate::{client, failure::Failure, memory};
use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::BodyExt;
use std::process::Stdio;
use strict_origin::StrictOrigin;
use tokio::io::{AsyncBufReadExt, BufReader};
use tower_egress::{Clock, TokioTimer};

/// What an answer took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listed {
    /// Until its head was there.
    pub(super) begins_us: u64,
    /// Until all of it was.
    pub(super) ends_us: u64,
    /// What the server held at most.
    pub(super) peak_rss: Option<u64>,
}

/// Asks for all rows, streamed and not. The database is there.
pub(super) async fn both(folder: &Folder, rows: u32) -> Result<[Listed; 2], Failure> {
    let on = list(folder, rows, &[]).await?;
    Ok([on, list(folder, rows, &["streaming"]).await?])
}

async fn list(folder: &Folder, rows: u32, off: &[&'static str]) -> Result<Listed, Failure> {
    eprintln!("/api/repos of {rows}: {}", off_text(off));
    let failed =
        |error: &dyn std::fmt::Display| Failure::failed("/api/repos was not answered", error);
    // Nothing is asked of it; without it the server would have one inside.
    let origin = StrictOrigin::builder().start().await;
    let origin = origin.map_err(|error| failed(&error))?;
    let mut command = this_program(off)?;
    command
        .args(["serve", "--port", "0", "--origin", origin.url(), "--db"])
        .arg(folder.path(DATABASE))
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| failed(&error))?;
    let stderr = child
        .stderr
        .take()
        .ok_or_else(|| failed(&"it has no standard error"))?;
    let mut lines = BufReader::new(stderr).lines();
    let address = loop {
        let line = lines.next_line().await.map_err(|error| failed(&error))?;
        let line = line.ok_or_else(|| failed(&"the server has ended"))?;
        if let Some((_, address)) = line.split_once("API at ") {
            break address.split(';').next().unwrap_or_default().to_owned();
        }
    };
    let url: Uri = format!("{address}/api/repos")
        .parse()
        .map_err(|error| failed(&error))?;
    let request = Request::get(url).body(Bytes::new().into());
    let request = request.map_err(|error| failed(&error))?;
    let clock = TokioTimer::new();
    let began = clock.now();
    let response = client::http_client().request(request).await;
    let mut body = response.map_err(|error| failed(&error))?.into_body();
    let begins = clock.now() - began;
    let mut found = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| failed(&error))?;
        let bytes = frame.data_ref().map(|bytes| &**bytes).unwrap_or_default();
        found += bytes.iter().filter(|byte| **byte == b'{').count();
    }
    let ends = clock.now() - began;
    if u32::try_from(found).ok() != Some(rows) {
        return Err(failed(&format!("{found} rows of {rows}")));
    }
    let peak_rss = child
        .id()
        .and_then(|id| memory::peak_rss_of(&id.to_string()));
    // It has nothing to lose.
    let _ = child.kill().await;
    let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    Ok(Listed {
        begins_us: micros(begins),
        ends_us: micros(ends),
        peak_rss,
    })
}
