//! An upstream API as a client sees it: which requests are its own, and what it permits.

use egress_hints::Dialect;
use egress_token_bucket::Quota;
use http::{Method, StatusCode, Uri, uri::Authority};
use std::borrow::Cow;

/// An upstream API: its name, which requests belong to it, what it permits and how it speaks of that.
///
/// Four are ready made. Their quotas are the conservative ones that the services' own guides ask of a client
/// that shares a token with others; change them with [`Api::with_quota`].
///
/// | preset | limit | spacing | burst | belongs to it |
/// |---|---|---|---|---|
/// | [`Api::github`] | 30 in 60 s | 100 ms | 10 | `api.github.com` |
/// | [`Api::github_search`] | 10 in 60 s | 1 s | 3 | `api.github.com/search`, which pays GitHub's quota too |
/// | [`Api::anthropic`] | 5 in 60 s | 2 s | 2 | `api.anthropic.com` |
/// | [`Api::external`] | 60 in 60 s | 50 ms | 20 | whatever it is made the rest of |
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use tower_egress::{Api, Quota};
///
/// let api = Api::new("crates.io")
///     .with_host("crates.io")
///     .with_quota(Quota::new(1, Duration::from_secs(1))?);
/// assert_eq!(api.name(), "crates.io");
/// # Ok::<_, tower_egress::InvalidQuota>(())
/// ```
#[derive(Clone, Debug)]
pub struct Api {
    name: Cow<'static, str>,
    places: Vec<Place>,
    methods: Option<Vec<Method>>,
    within: Option<Cow<'static, str>>,
    quota: Option<Quota>,
    dialect: Dialect,
    resources: Vec<Cow<'static, str>>,
    retry_also: Vec<StatusCode>,
}

/// Where an API lives.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// Lower case, with a port only if one was given.
    host: String,
    port: Option<u16>,
    /// Without a slash at its end.
    path: String,
}

/// Lets a request belong to the [`Api`] of this name, whatever its address.
///
/// Put it into the request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UseApi(pub Cow<'static, str>);

impl Api {
    /// Makes an API that no request belongs to by its address, without a quota.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            places: Vec::new(),
            methods: None,
            within: None,
            quota: None,
            dialect: Dialect::Generic,
            resources: Vec::new(),
            retry_also: Vec::new(),
        }
    }

    /// GitHub's REST API.
    pub fn github() -> Self {
        Self::new("github")
            .with_host("api.github.com")
            .with_quota(Quota::GITHUB)
            .with_dialect(Dialect::GitHub)
            .with_resource("core")
    }

    /// The search part of GitHub's REST API, which has a limit of its own and counts towards GitHub's as well.
    pub fn github_search() -> Self {
        Self::new("githubSearch")
            .with_host("api.github.com/search")
            .within("github")
            .with_quota(Quota::GITHUB_SEARCH)
            .with_dialect(Dialect::GitHub)
            .with_resource("search")
            .with_resource("code_search")
    }

    /// Anthropic's API. A 529, "overloaded", is retried.
    pub fn anthropic() -> Self {
        let overloaded = StatusCode::from_u16(529).expect("529 is a possible status");
        Self::new("claude")
            .with_host("api.anthropic.com")
            .with_quota(Quota::ANTHROPIC)
            .with_dialect(Dialect::Anthropic)
            .also_retrying(overloaded)
    }

    /// Any other API, with a quota that most stand.
    pub fn external() -> Self {
        Self::new("external").with_quota(Quota::EXTERNAL)
    }

    /// Makes requests to this host belong to the API; called more than once, to any of the hosts.
    ///
    /// `host` may have a port and the beginning of a path: `api.github.com/search`, `127.0.0.1:8787`. Without a port, any port
    /// belongs to it. Of two APIs that a request could belong to, the one with the longer path wins, then the one with the port.
    #[must_use]
    pub fn with_host(mut self, host: impl AsRef<str>) -> Self {
        let (host, path) = host.as_ref().split_once('/').unwrap_or((host.as_ref(), ""));
        self.places.push(Place {
            host: host.to_ascii_lowercase(),
            port: port_of(host),
            path: match path.trim_end_matches('/') {
                "" => String::new(),
                path => format!("/{path}"),
            },
        });
        self
    }

    /// Makes the API live somewhere else: on the same paths of another host, for example a test server.
    #[must_use]
    pub fn at(mut self, authority: &Authority) -> Self {
        for place in &mut self.places {
            place.host = authority.as_str().to_ascii_lowercase();
            place.port = authority.port_u16();
        }
        self
    }

    /// Restricts the API to requests with these methods.
    #[must_use]
    pub fn with_methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods = Some(methods.into_iter().collect());
        self
    }

    /// Makes every request of this API pay the quota of the API `name` as well.
    #[must_use]
    pub fn within(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.within = Some(name.into());
        self
    }

    /// Sets what the API permits.
    #[must_use]
    pub fn with_quota(mut self, quota: Quota) -> Self {
        self.quota = Some(quota);
        self
    }

    /// Takes the quota away: requests are not limited, but still retried, timed and told apart.
    #[must_use]
    pub fn without_quota(mut self) -> Self {
        self.quota = None;
        self
    }

    /// Sets how the API speaks of its limits.
    #[must_use]
    pub fn with_dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Adds a name by which the server calls this quota in `x-ratelimit-resource`.
    ///
    /// A response that names a resource concerns the APIs with that name only.
    #[must_use]
    pub fn with_resource(mut self, resource: impl Into<Cow<'static, str>>) -> Self {
        self.resources.push(resource.into());
        self
    }

    /// Adds a status to those that are retried by default.
    #[must_use]
    pub fn also_retrying(mut self, status: StatusCode) -> Self {
        self.retry_also.push(status);
        self
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the quota, if there is one.
    pub const fn quota(&self) -> Option<Quota> {
        self.quota
    }

    pub(crate) fn parent(&self) -> Option<&str> {
        self.within.as_deref()
    }

    pub(crate) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(crate) fn resources(&self) -> &[Cow<'static, str>] {
        &self.resources
    }

    pub(crate) fn retry_also(&self) -> &[StatusCode] {
        &self.retry_also
    }

    /// Tells how closely a request's address fits, as a value to compare; `None` if it does not belong here.
    pub(crate) fn fits(&self, method: &Method, uri: &Uri) -> Option<(usize, bool)> {
        let methods = self.methods.as_ref();
        if methods.is_some_and(|methods| !methods.contains(method)) {
            return None;
        }
        self.places.iter().filter_map(|place| place.fits(uri)).max()
    }
}

/// The number behind the last colon, unless that is a part of an IPv6 address.
fn port_of(host: &str) -> Option<u16> {
    let (_, port) = host.rsplit_once(':')?;
    port.parse().ok()
}

impl Place {
    fn fits(&self, uri: &Uri) -> Option<(usize, bool)> {
        let authority = uri.authority()?;
        // Nearly always the whole of it, and no port has to be looked for.
        let by_port = if authority.as_str().eq_ignore_ascii_case(&self.host) {
            self.port.is_some()
        } else if self.port.is_some() && self.port != authority.port_u16() {
            return None;
        } else if authority.host().eq_ignore_ascii_case(self.name()) {
            self.port.is_some()
        } else {
            return None;
        };
        if self.path.is_empty() {
            return Some((0, by_port));
        }
        let rest = uri.path().strip_prefix(self.path.as_str())?;
        // "/search" is no prefix of "/searches".
        (rest.is_empty() || rest.starts_with('/')).then_some((self.path.len(), by_port))
    }

    /// The host without its port.
    fn name(&self) -> &str {
        match self.port {
            Some(_) => self
                .host
                .rsplit_once(':')
                .map_or(&self.host, |(name, _)| name),
            None => &self.host,
        }
    }
}

#[cfg(test)]
#[cfg_attr(
    target_arch = "wasm32",
    allow(
        clippy::unwrap_used,
        reason = "clippy does not see that these are tests"
    )
)]
mod tests {
    use super::*;
    use std::time::Duration;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn fits(api: &Api, uri: &str) -> bool {
        api.fits(&Method::GET, &uri.parse().unwrap()).is_some()
    }

    #[test]
    fn a_request_belongs_to_the_api_whose_host_and_path_it_has() {
        let github = Api::github();
        assert!(fits(&github, "https://api.github.com/repos/a/b"));
        assert!(fits(&github, "https://API.GitHub.com:443/search/code?q=x"));
        assert!(!fits(&github, "https://github.com/repos/a/b"));
        assert!(!fits(&github, "https://api.github.com.evil.example/"));
        let search = Api::github_search();
        assert!(fits(&search, "https://api.github.com/search/code?q=x"));
        assert!(fits(&search, "https://api.github.com/search"));
        assert!(!fits(&search, "https://api.github.com/searches"));
        assert!(!fits(&search, "https://api.github.com/repos/a/b"));
        assert!(!fits(&github, "/repos/a/b"), "no host, no API");
    }

    #[test]
    fn a_port_that_is_named_is_asked_for() {
        let api = Api::new("test").with_host("127.0.0.1:8787");
        assert!(fits(&api, "http://127.0.0.1:8787/a"));
        assert!(!fits(&api, "http://127.0.0.1:8788/a"));
        assert!(!fits(&api, "http://127.0.0.1/a"));
    }

    #[test]
    fn an_address_of_ipv6_has_colons_of_its_own() {
        let any = Api::new("test").with_host("[::1]");
        assert!(fits(&any, "http://[::1]/a"));
        assert!(fits(&any, "http://[::1]:8787/a"));
        let one = Api::new("test").with_host("[::1]:8787");
        assert!(fits(&one, "http://[::1]:8787/a"));
        assert!(!fits(&one, "http://[::1]/a"));
    }

    #[test]
    fn an_api_can_live_elsewhere_on_the_same_paths() {
        let search = Api::github_search().at(&Authority::from_static("127.0.0.1:8787"));
        assert!(fits(&search, "http://127.0.0.1:8787/search/code"));
        assert!(!fits(&search, "https://api.github.com/search/code"));
    }

    #[test]
    fn methods_can_tell_apis_apart() {
        let writes = Api::new("writes")
            .with_host("example.com")
            .with_methods([Method::POST]);
        assert!(!fits(&writes, "http://example.com/"));
        let uri = Uri::from_static("http://example.com/");
        assert!(writes.fits(&Method::POST, &uri).is_some());
    }

    /// The four presets of the documentation, read from the values themselves.
    #[test]
    fn presets_are_what_their_documentation_says() {
        for (api, limit, spacing, burst) in [
            (Api::github(), 30, 100, 10),
            (Api::github_search(), 10, 1_000, 3),
            (Api::anthropic(), 5, 2_000, 2),
            (Api::external(), 60, 50, 20),
        ] {
            let quota = api.quota().unwrap();
            assert_eq!(quota.limit(), limit, "{}", api.name());
            assert_eq!(quota.period(), Duration::from_secs(60), "{}", api.name());
            assert_eq!(
                quota.spacing(),
                Duration::from_millis(spacing),
                "{}",
                api.name()
            );
            assert_eq!(quota.burst(), burst, "{}", api.name());
        }
    }
}
