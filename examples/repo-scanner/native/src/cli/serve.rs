//! `serve`.

use super::{parse, upstream::UpstreamArgs};
use crate::{
    asked::check_secret,
    config::{Config, ConfigFile},
    failure::Failure,
    serve::{Listen, ServeCommand},
};
use clap::Args;
use std::{net::IpAddr, path::PathBuf};

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// The port to listen on; 0 takes any that is free [default: 8787]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,

    /// The address to listen on [default: 127.0.0.1]
    ///
    /// Others than this machine are let in only if REPO_SCANNER_TOKEN is set: whoever wants to begin or end a scan has to send it.
    #[arg(long, value_name = "HOST", value_parser = parse::host)]
    host: Option<IpAddr>,

    /// The SQLite database; it is made if it does not exist [default: repo-scanner.db]
    ///
    /// A scan in it that was interrupted goes on.
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,

    #[command(flatten)]
    upstream: UpstreamArgs,

    /// A file of settings, which hold unless the command line says otherwise
    ///
    /// JSON: {"db": FILE, "host": HOST, "port": PORT, "origin": URL, "quota": API=QUOTA or [API=QUOTA, …],
    /// "concurrency": N, "analyse": N, "flags": {"retries": false, "connectionLimit": 50}}
    ///
    /// A flag switches a part of the program off, for all or for a share in per cent: connectionLimit, rateLimit, retries, cleanup,
    /// timeouts, deadline, timing, batching, streaming, monitoring. REPO_SCANNER_FLAG_RETRIES=off, or 50%, does the same and
    /// wins. At SIGHUP the flags are read again.
    #[arg(long, value_name = "FILE", verbatim_doc_comment)]
    config: Option<PathBuf>,

    /// What whoever wants something written has to send
    #[arg(long, env = "REPO_SCANNER_TOKEN", hide_env_values = true, hide = true)]
    writing_token: Option<String>,
}

impl ServeArgs {
    pub(super) fn into_command(self) -> Result<ServeCommand, Failure> {
        let file = self.config.map(ConfigFile);
        let config = file.as_ref().map(ConfigFile::read).transpose()?;
        let config = config.unwrap_or_default();
        let Config { flags, .. } = &config;
        let flags = crate::flags::new(flags)?;
        let mut upstream = self.upstream;
        upstream.origin = upstream.origin.or(config.origin);
        upstream.concurrency = upstream.concurrency.or(config.concurrency);
        upstream.analyse = upstream.analyse.or(config.analyse);
        if upstream.quota.is_empty() {
            upstream.quota = config.quota;
        }
        let token = self.writing_token.filter(|token| !token.is_empty());
        if let Some(token) = &token {
            check_secret("REPO_SCANNER_TOKEN", token)?;
        }
        let host = self.host.or(config.host);
        let listen = Listen {
            host: host.unwrap_or(IpAddr::from([127, 0, 0, 1])),
            port: self.port.or(config.port).unwrap_or(8787),
        };
        listen.check(token.is_some())?;
        let db = self.db.or(config.db);
        Ok(ServeCommand {
            asked: upstream.into_asked()?,
            db: db.unwrap_or_else(|| "repo-scanner.db".into()),
            listen,
            token,
            flags,
            config: file,
        })
    }
}
