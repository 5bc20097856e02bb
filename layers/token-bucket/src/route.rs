//! Which buckets a request pays.

use crate::{Bucket, BucketSet, Cost};
use egress_context::RequestHead;

/// Finds the buckets that a request pays.
///
/// A [`Bucket`] or a [`BucketSet`] is a route that sends everything there. So is any
/// `Fn(&RequestHead<'_>) -> Option<BucketSet>`; it is called for every request, so it should return clones of sets that it
/// keeps.
///
/// # Example
///
/// ```
/// use egress_token_bucket::{Bucket, BucketSet, Quota, RequestHead, Route};
///
/// let github = Bucket::builder(Quota::GITHUB).name("github").resource("core").build();
/// let search = Bucket::builder(Quota::GITHUB_SEARCH).name("search").resource("search").build();
/// let (core, search) = (BucketSet::from(github.clone()), BucketSet::new([github, search]));
/// let route = move |request: &RequestHead<'_>| match request.uri.host() {
///     Some("api.github.com") if request.uri.path().starts_with("/search/") => Some(search.clone()),
///     Some("api.github.com") => Some(core.clone()),
///     _ => None,
/// };
///
/// let request = http::Request::get("https://api.github.com/search/code").body(())?;
/// assert_eq!(route.route(&RequestHead::of(&request)).map(|set| set.buckets().len()), Some(2));
/// # Ok::<_, http::Error>(())
/// ```
pub trait Route {
    /// Returns the buckets of a request; `None` lets it pass as it is.
    fn route(&self, request: &RequestHead<'_>) -> Option<BucketSet>;

    /// Returns as how many calls it counts: what its extensions say, or one.
    fn cost(&self, request: &RequestHead<'_>) -> Cost {
        request.extensions.get().copied().unwrap_or_default()
    }
}

impl Route for Bucket {
    fn route(&self, _: &RequestHead<'_>) -> Option<BucketSet> {
        Some(self.clone().into())
    }
}

impl Route for BucketSet {
    fn route(&self, _: &RequestHead<'_>) -> Option<BucketSet> {
        Some(self.clone())
    }
}

impl<F: Fn(&RequestHead<'_>) -> Option<BucketSet>> Route for F {
    fn route(&self, request: &RequestHead<'_>) -> Option<BucketSet> {
        self(request)
    }
}
