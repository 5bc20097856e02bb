//! A file of settings.

use crate::{failure::Failure, quota};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::{
    fs,
    net::IpAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};
use strict_origin::NamedRule;
use tower_egress::flags;

/// Where it is.
#[derive(Clone, Debug)]
pub(crate) struct ConfigFile(pub(crate) PathBuf);

/// What stands in it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) db: Option<PathBuf>,
    pub(crate) host: Option<IpAddr>,
    pub(crate) port: Option<u16>,
    pub(crate) origin: Option<String>,
    #[serde(deserialize_with = "quotas")]
    pub(crate) quota: Vec<NamedRule>,
    pub(crate) concurrency: Option<NonZeroUsize>,
    pub(crate) analyse: Option<u32>,
    pub(crate) flags: flags::Config,
}

impl ConfigFile {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Reads it, and names what is wrong with it.
    pub(crate) fn read(&self) -> Result<Config, Failure> {
        let place = self.0.display();
        let text = fs::read_to_string(&self.0);
        let text = text.map_err(|error| Failure::usage(format!("cannot read {place}: {error}")))?;
        // A list would be taken for the values in their order.
        if text.trim_start().starts_with('[') {
            return Err(Failure::usage(format!(
                "{place}: it is a list; expected an object"
            )));
        }
        serde_json::from_str(&text).map_err(|error| Failure::usage(format!("{place}: {error}")))
    }
}

/// Reads one, or several.
fn quotas<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<NamedRule>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "expected a quota, as github=600/1s, or a list of them"
    )]
    enum Quotas {
        One(String),
        Many(Vec<String>),
    }
    let texts = match Quotas::deserialize(deserializer)? {
        Quotas::One(text) => vec![text],
        Quotas::Many(texts) => texts,
    };
    let rules = texts.iter().map(|text| {
        quota::parse(text).map_err(|why| D::Error::custom(format!("quota {text:?}: {why}")))
    });
    rules.collect()
}
