//! The four APIs that the origin tells apart, by path.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Names one of the APIs that the origin plays.
///
/// Its text form (`github`, `github-search`, `anthropic`, `external`) is what the command line, the
/// quota text and the score use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Api {
    /// GitHub's REST API without search: `/repos`, `/repositories`, `/users` and `/orgs`.
    Github,
    /// GitHub's search, which has a limit of its own: `/search`.
    GithubSearch,
    /// Anthropic's Messages API: `/v1`.
    Anthropic,
    /// Every other path: an API with nobody's dialect, which speaks the IETF draft.
    External,
}

impl Api {
    /// Every API, in the order in which scores list them.
    pub const ALL: [Self; 4] = [
        Self::Github,
        Self::GithubSearch,
        Self::Anthropic,
        Self::External,
    ];

    /// Returns the API that a path belongs to.
    pub fn of(path: &str) -> Self {
        let first = path.trim_start_matches('/').split('/').next();
        match first.unwrap_or_default() {
            "repos" | "repositories" | "users" | "orgs" => Self::Github,
            "search" => Self::GithubSearch,
            "v1" => Self::Anthropic,
            _ => Self::External,
        }
    }

    /// Returns the text form.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::GithubSearch => "github-search",
            Self::Anthropic => "anthropic",
            Self::External => "external",
        }
    }

    /// Returns whether GitHub's dialect is spoken here.
    pub(crate) const fn is_github(self) -> bool {
        matches!(self, Self::Github | Self::GithubSearch)
    }

    /// Returns the place of this API in [`Api::ALL`].
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Github => 0,
            Self::GithubSearch => 1,
            Self::Anthropic => 2,
            Self::External => 3,
        }
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Api {
    type Err = UnknownApi;

    fn from_str(text: &str) -> Result<Self, UnknownApi> {
        Self::ALL
            .into_iter()
            .find(|api| api.name() == text)
            .ok_or_else(|| UnknownApi(text.to_owned()))
    }
}

/// Says that a text names none of the APIs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no API: expected github, github-search, anthropic or external")]
pub struct UnknownApi(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_decides_the_api() {
        assert_eq!(Api::of("/repos/a/b"), Api::Github);
        assert_eq!(Api::of("/users/a/repos"), Api::Github);
        assert_eq!(Api::of("/repositories/1"), Api::Github);
        assert_eq!(Api::of("/search/repositories"), Api::GithubSearch);
        assert_eq!(Api::of("/v1/messages"), Api::Anthropic);
        assert_eq!(Api::of("/anything/repos"), Api::External);
        assert_eq!(Api::of(""), Api::External);
        assert_eq!(Api::of("/reposx"), Api::External);
    }

    #[test]
    fn names_round_trip() {
        for (place, api) in Api::ALL.into_iter().enumerate() {
            assert_eq!(api.name().parse::<Api>(), Ok(api));
            assert_eq!(api.index(), place);
        }
        assert!("git".parse::<Api>().is_err());
    }
}
