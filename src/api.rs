//! An upstream API as a client sees it: which requests are its own, and what it permits.

use crate::place::{Place, Target};
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

/// Lets a request belong to the [`Api`] of this name, whatever its address.
///
/// Put it into the request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UseApi(pub Cow<'static, str>);

impl Api {
    /// Makes an API that no request belongs to by its address, without a quota.
    ///
    /// # Panics
    ///
    /// If the name is `all`: in a [`Status`](crate::Status) that is the name of all APIs together.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        let name = name.into();
        assert!(
            name != ALL,
            "an API cannot be called {ALL:?}: that is the name of all of them together"
        );
        Self {
            name,
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
    /// belongs to it; a request that names none has that of its scheme. Of two APIs that a request could belong to, the
    /// one with the longer path wins, then the one with the port.
    ///
    /// A request whose URI has no host, as one that a server hands on, belongs where its `Host` header says.
    ///
    /// # Panics
    ///
    /// If it is anything else: `https://api.github.com` has a scheme and is refused, since no host is called so and the
    /// limit would hold for nobody. So are a user, a query, a fragment, and a port that is none.
    #[must_use]
    pub fn with_host(mut self, host: impl AsRef<str>) -> Self {
        let text = host.as_ref();
        let place = Place::parse(text).unwrap_or_else(|why| {
            panic!(
                "{text:?} is no place of {:?}: {why}; expected a host, like api.github.com",
                self.name
            )
        });
        self.places.push(place);
        self
    }

    /// Makes the API live somewhere else: on the same paths of another host, for example a test server.
    #[must_use]
    pub fn at(mut self, authority: &Authority) -> Self {
        for place in &mut self.places {
            place.move_to(authority);
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
    ///
    /// Its target is an argument because it is the same for all APIs.
    pub(crate) fn fits_at(
        &self,
        method: &Method,
        uri: &Uri,
        target: Target<'_>,
    ) -> Option<(usize, bool)> {
        let methods = self.methods.as_ref();
        if methods.is_some_and(|methods| !methods.contains(method)) {
            return None;
        }
        let places = self.places.iter();
        places
            .filter_map(|place| place.fits(target, uri.path()))
            .max()
    }
}

/// The name of all APIs together, in a [`Status`](crate::Status).
pub(crate) const ALL: &str = "all";

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
    use http::header::HOST;
    use std::time::Duration;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn fits_method(api: &Api, method: &Method, uri: &Uri) -> bool {
        let target = Target::of(uri, None);
        target.is_some_and(|target| api.fits_at(method, uri, target).is_some())
    }

    fn fits(api: &Api, uri: &str) -> bool {
        fits_method(api, &Method::GET, &uri.parse().unwrap())
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
        assert!(fits(&github, "https://api.github.com./"), "a full name");
        assert!(fits(&github, "https://user:secret@api.github.com/"));
        assert!(!fits(&github, "https://api.github.com@evil.example/"));
    }

    /// `:443` and `:80` are what their schemes mean, whoever writes them down.
    #[test]
    fn a_default_port_is_the_same_written_or_not() {
        let tls = Api::new("tls").with_host("example.com:443");
        assert!(fits(&tls, "https://example.com/a"));
        assert!(fits(&tls, "https://example.com:443/a"));
        assert!(!fits(&tls, "http://example.com/a"));
        assert!(!fits(&tls, "https://example.com:8443/a"));
        let plain = Api::new("plain").with_host("example.com:80");
        assert!(fits(&plain, "http://example.com/a"));
        assert!(fits(&plain, "http://example.com:80/a"));
        assert!(!fits(&plain, "https://example.com/a"));
        let elsewhere = Api::github().at(&Authority::from_static("example.com:80"));
        assert!(fits(&elsewhere, "http://example.com/a"));
    }

    #[test]
    fn a_request_without_a_host_in_its_uri_belongs_where_its_host_header_says() {
        let fits = |api: &Api, host: Option<&'static str>, uri: &str| {
            let uri: Uri = uri.parse().unwrap();
            let value = host.map(|host| (HOST, http::HeaderValue::from_static(host)));
            let headers = value.into_iter().collect();
            let target = Target::of(&uri, Some(&headers));
            target.is_some_and(|target| api.fits_at(&Method::GET, &uri, target).is_some())
        };
        let github = Api::github();
        assert!(fits(&github, Some("api.github.com"), "/repos/a/b"));
        assert!(fits(&github, Some("API.github.com:443"), "/repos/a/b"));
        assert!(!fits(&github, Some("example.com"), "/repos/a/b"));
        assert!(!fits(&github, None, "/repos/a/b"));
        let search = Api::github_search();
        assert!(fits(&search, Some("api.github.com"), "/search/code"));
        assert!(!fits(&search, Some("api.github.com"), "/repos/a/b"));
        let local = Api::new("local").with_host("[::1]:8787");
        assert!(fits(&local, Some("[::1]:8787"), "/"));
        assert!(!fits(&local, Some("[::1]"), "/"));
        let tls = Api::new("tls").with_host("example.com:443");
        assert!(
            fits(&tls, Some("example.com"), "/"),
            "no port is the scheme's, and that is not known"
        );
        assert!(!fits(&tls, Some("example.com:8443"), "/"));
        // RFC 9112, section 3.2.2: what the URI says goes.
        assert!(!fits(
            &github,
            Some("api.github.com"),
            "http://example.com/"
        ));
        assert!(fits(&github, Some("example.com"), "http://api.github.com/"));
    }

    #[cfg(not(target_arch = "wasm32"))]
    mod misuse {
        use super::*;

        #[test]
        fn what_is_no_host_is_refused_with_the_reason() {
            for (bad, why) in [
                ("https://api.github.com", "it has a scheme"),
                ("https://api.github.com/search", "it has a scheme"),
                ("user@example.com", "it has a user"),
                ("example.com:", "its port is none"),
                ("example.com:https", "its port is none"),
                ("example.com:99999", "its port is none"),
                ("", "that is not a host"),
                ("/search", "that is not a host"),
                (":80", "it has no host"),
                ("exa mple.com", "that is not a host"),
                ("example.com/a?b", "only the beginning of a path"),
                ("example.com?b", "only the beginning of a path"),
                ("example.com/#b", "only the beginning of a path"),
            ] {
                let panic = std::panic::catch_unwind(|| Api::new("test").with_host(bad));
                let message = panic.expect_err(bad);
                let message = message.downcast_ref::<String>().unwrap();
                assert!(message.contains(why), "{bad}: {message}");
                assert!(message.contains("\"test\""), "{bad}: {message}");
            }
        }

        #[test]
        #[should_panic(expected = "an API cannot be called \"all\"")]
        fn the_name_of_all_of_them_is_nobodys() {
            drop(Api::new("all"));
        }
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
        assert!(fits_method(&writes, &Method::POST, &uri));
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
