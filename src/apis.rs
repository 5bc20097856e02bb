//! The APIs of an egress: which one a request belongs to, and what follows from that.

use crate::{Api, Switch, UseApi, place::Target, switch::Off};
use egress_backoff::{ChoosePolicy, Policy};
use egress_context::RequestContext;
use egress_timing::Label;
use egress_token_bucket::{Bucket, BucketSet, RequestHead, Route};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

/// The APIs; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Apis {
    shared: Arc<Shared>,
    off: Off,
}

#[derive(Debug)]
struct Shared {
    /// Under which it notes what it has found, in the context of a request. No other egress has it.
    key: u32,
    entries: Box<[Entry]>,
}

/// One API with all that a layer asks for. The last one is for requests that belong to no other.
#[derive(Debug)]
pub(crate) struct Entry {
    api: Api,
    /// Its own bucket, if it has a quota.
    bucket: Option<Bucket>,
    /// Its own and those of the APIs that it is within.
    buckets: Option<BucketSet>,
    policy: Policy,
}

impl Apis {
    /// Returns the names, in the order of the labels.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        self.shared
            .entries
            .iter()
            .map(|entry| entry.api.name().to_owned())
    }

    /// Returns the same without what is off.
    pub(crate) fn without(&self, off: Off) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            off,
        }
    }

    /// Returns the names and buckets of those that have a quota.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (&str, &Bucket)> {
        let entries = self.shared.entries.iter();
        entries.filter_map(|entry| Some((entry.api.name(), entry.bucket.as_ref()?)))
    }

    /// Finds the API of a request. Three layers ask, and only the outermost has to look.
    fn find(&self, request: &RequestHead<'_>) -> usize {
        let Shared { key, entries } = &*self.shared;
        let found = find(entries, request);
        if let Ok(found) = found.try_into() {
            RequestContext::note(request.extensions, *key, found);
        }
        found
    }

    /// Returns what is known of the API of a request.
    fn entry(&self, request: &RequestHead<'_>) -> &Entry {
        let Shared { key, entries } = &*self.shared;
        let noted = RequestContext::noted(request.extensions, *key);
        let noted = noted.and_then(|noted| entries.get(usize::try_from(noted).ok()?));
        noted.unwrap_or_else(|| &entries[find(entries, request)])
    }
}

/// Finds the API of a request: that of the name it asks for, else the one whose address fits best.
fn find(entries: &[Entry], request: &RequestHead<'_>) -> usize {
    let otherwise = entries.len().saturating_sub(1);
    if let Some(UseApi(name)) = request.extensions.get() {
        // A name that nobody has is a mistake, and must not turn a limit off: the rest's limit holds.
        let named = entries.iter().position(|entry| entry.api.name() == name);
        return named.unwrap_or(otherwise);
    }
    let Some(target) = Target::of(request.uri, Some(request.headers)) else {
        return otherwise;
    };
    let fits = |(index, entry): (usize, &Entry)| {
        let fit = entry.api.fits_at(request.method, request.uri, target)?;
        Some((fit, index))
    };
    let entries = entries.iter().enumerate();
    let best = entries.filter_map(fits).max_by_key(|(fit, _)| *fit);
    best.map_or(otherwise, |(_, index)| index)
}

impl Route for Apis {
    fn route(&self, request: &RequestHead<'_>) -> Option<BucketSet> {
        if self.off.has(Switch::RateLimit) {
            return None;
        }
        self.entry(request).buckets.clone()
    }
}

impl ChoosePolicy for Apis {
    fn choose(&self, request: &RequestHead<'_>) -> Policy {
        let policy = self.entry(request).policy.clone();
        if self.off.has(Switch::Retries) {
            policy.with_max_retries(0)
        } else {
            policy
        }
    }
}

impl Label for Apis {
    fn label(&self, request: &RequestHead<'_>) -> Option<usize> {
        Some(self.find(request))
    }
}

/// The APIs before they share anything.
#[derive(Debug)]
pub(crate) struct ApisBuilder {
    apis: Vec<Api>,
    otherwise: Api,
    policy: Policy,
    max_wait: Duration,
    wakeups: bool,
}

impl ApisBuilder {
    pub(crate) fn new() -> Self {
        Self {
            apis: Vec::new(),
            otherwise: Api::external(),
            policy: Policy::default(),
            max_wait: Duration::from_secs(65),
            wakeups: false,
        }
    }

    pub(crate) fn add(&mut self, api: Api) {
        self.apis.push(api);
    }

    pub(crate) fn otherwise(&mut self, api: Api) {
        self.otherwise = api;
    }

    pub(crate) fn policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    pub(crate) fn max_wait(&mut self, wait: Duration) {
        self.max_wait = wait;
    }

    pub(crate) fn wakeups(&mut self, wakeups: bool) {
        self.wakeups = wakeups;
    }

    pub(crate) fn build(self) -> Apis {
        let Self {
            mut apis,
            otherwise,
            policy,
            max_wait,
            wakeups,
        } = self;
        apis.push(otherwise);
        for (index, api) in apis.iter().enumerate() {
            let twice = apis[..index].iter().any(|other| other.name() == api.name());
            assert!(!twice, "two APIs are called {:?}", api.name());
        }
        let bucket = |api: &Api| {
            let mut bucket = Bucket::builder(api.quota()?)
                .name(api.name())
                .max_wait(max_wait)
                .dialect(api.dialect())
                .wakeups(wakeups);
            for resource in api.resources() {
                bucket = bucket.resource(&**resource);
            }
            Some(bucket.build())
        };
        let own: Vec<_> = apis.iter().map(bucket).collect();
        let sets = (0..apis.len()).map(|index| {
            let lineage = lineage(&apis, index).into_iter();
            let paid: Vec<_> = lineage.filter_map(|index| own[index].clone()).collect();
            match paid.as_slice() {
                [] => None,
                [one] => Some(one.clone().into()),
                _ => Some(BucketSet::new(paid)),
            }
        });
        let sets: Vec<_> = sets.collect();
        let entries = apis.into_iter().zip(own).zip(sets);
        let entries = entries.map(|((api, bucket), buckets)| {
            let statuses = policy.statuses().iter().chain(api.retry_also()).copied();
            let policy = policy.clone().with_statuses(statuses);
            Entry {
                policy: policy.with_dialect(api.dialect()),
                api,
                bucket,
                buckets,
            }
        });
        static KEYS: AtomicU32 = AtomicU32::new(0);
        Apis {
            shared: Arc::new(Shared {
                key: KEYS.fetch_add(1, Relaxed),
                entries: entries.collect(),
            }),
            off: Off::default(),
        }
    }
}

/// Returns the API itself, the one that it is within, the one that *that* is within, and so on.
fn lineage(apis: &[Api], mut index: usize) -> Vec<usize> {
    let mut lineage = vec![index];
    while let Some(parent) = apis[index].parent() {
        let name = apis[index].name();
        let found = apis.iter().position(|api| api.name() == parent);
        index =
            found.unwrap_or_else(|| panic!("{name:?} is within {parent:?}, which was not added"));
        lineage.push(index);
        assert!(
            lineage.len() <= apis.len(),
            "{:?} is within itself",
            apis[lineage[0]].name()
        );
    }
    lineage
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
    use http::Request;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn apis(apis: impl IntoIterator<Item = Api>) -> Apis {
        let mut builder = ApisBuilder::new();
        apis.into_iter().for_each(|api| builder.add(api));
        builder.build()
    }

    fn name(apis: &Apis, request: &Request<()>) -> String {
        let index = apis.find(&RequestHead::of(request));
        apis.names().nth(index).unwrap()
    }

    #[test]
    fn the_longer_path_wins_and_the_rest_go_to_the_rest() {
        let apis = apis([Api::github_search(), Api::github(), Api::anthropic()]);
        for (uri, api) in [
            ("https://api.github.com/search/code?q=a", "githubSearch"),
            ("https://api.github.com/repos/a/b", "github"),
            ("https://api.anthropic.com/v1/messages", "claude"),
            ("https://example.com/search", "external"),
        ] {
            let request = Request::get(uri).body(()).unwrap();
            assert_eq!(name(&apis, &request), api, "{uri}");
        }
    }

    #[test]
    fn a_request_can_name_its_api_and_a_wrong_name_turns_no_limit_off() {
        let apis = apis([Api::github()]);
        let request = |api: &'static str| {
            let request = Request::get("https://api.github.com/").extension(UseApi(api.into()));
            request.body(()).unwrap()
        };
        assert_eq!(name(&apis, &request("external")), "external");
        assert_eq!(name(&apis, &request("githab")), "external");
    }

    /// T10
    #[test]
    fn a_search_pays_both_quotas() {
        let apis = apis([Api::github(), Api::github_search()]);
        let request = Request::get("https://api.github.com/search/code")
            .body(())
            .unwrap();
        let buckets = apis.route(&RequestHead::of(&request)).unwrap();
        let mut names: Vec<_> = buckets.buckets().iter().map(Bucket::name).collect();
        names.sort_unstable();
        assert_eq!(names, ["github", "githubSearch"]);
    }

    #[test]
    fn an_api_has_its_own_statuses_and_dialect() {
        let apis = apis([Api::anthropic()]);
        let statuses = |uri| {
            let request = Request::get(uri).body(()).unwrap();
            apis.choose(&RequestHead::of(&request)).statuses().to_vec()
        };
        let overloaded = http::StatusCode::from_u16(529).unwrap();
        assert!(statuses("https://api.anthropic.com/v1/messages").contains(&overloaded));
        assert!(!statuses("https://example.com/").contains(&overloaded));
    }

    #[cfg(not(target_arch = "wasm32"))]
    mod misuse {
        use super::*;

        #[test]
        #[should_panic(expected = "two APIs are called \"github\"")]
        fn a_name_that_is_there_twice_is_named() {
            apis([Api::github(), Api::github()]);
        }

        #[test]
        #[should_panic(expected = "\"githubSearch\" is within \"github\", which was not added")]
        fn a_missing_parent_is_named() {
            apis([Api::github_search()]);
        }

        #[test]
        #[should_panic(expected = "is within itself")]
        fn a_circle_is_named() {
            apis([Api::new("a").within("b"), Api::new("b").within("a")]);
        }
    }
}
