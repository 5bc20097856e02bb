//! `scan`.

use super::upstream::UpstreamArgs;
use crate::{failure::Failure, scan::ScanCommand};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct ScanArgs {
    #[command(flatten)]
    upstream: UpstreamArgs,

    /// A list of repositories, one owner/name a line; further tab-separated columns are ignored [default: the list inside this program]
    #[arg(long, value_name = "FILE")]
    repos: Option<PathBuf>,

    /// The SQLite database to write to; it is made if it does not exist
    ///
    /// A scan that was interrupted goes on where it was when the same list is scanned into the same database again.
    #[arg(long, value_name = "FILE", default_value = "repo-scanner.db")]
    db: PathBuf,

    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

impl ScanArgs {
    pub(super) fn into_command(self) -> Result<ScanCommand, Failure> {
        Ok(ScanCommand {
            asked: self.upstream.into_asked()?,
            repos: self.repos,
            db: self.db,
            json: self.json,
        })
    }
}
