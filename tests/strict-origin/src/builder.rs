//! What the origin is told before it starts.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};

use crate::{
    Api, Catalogue, FaultPlan, NamedRule, Rule, Script, StartError, StrictOrigin, origin,
    renames::Renames,
};

/// Configures a [`StrictOrigin`].
///
/// # Defaults
///
/// - address: 127.0.0.1, a free port
/// - rules: none, nothing is limited
/// - faults, script, handler: none
/// - catalogue: none, every repository exists
/// - renamed repositories: none
/// - header slots: no bound
/// - crossing allowance: 20 ms
/// - required headers: none
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it is started"]
pub struct Builder {
    address: SocketAddr,
    config: Config,
}

/// Bounds how many requests, of all APIs together, wait for their response heads at once, as the
/// Workers platform bounds its clients to six.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderSlots {
    /// Requests beyond the bound wait, first come first served, and are counted.
    Hold(NonZeroUsize),
    /// Requests beyond the bound are refused with 503, and are counted.
    Refuse(NonZeroUsize),
}

#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) rules: [Option<Rule>; 4],
    pub(crate) crossing: Duration,
    pub(crate) faults: FaultPlan,
    pub(crate) script: Script,
    pub(crate) catalogue: Option<Arc<Catalogue>>,
    pub(crate) renames: Renames,
    pub(crate) slots: Option<HeaderSlots>,
    pub(crate) require_headers: bool,
    pub(crate) handler: Option<Handler>,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            config: Config {
                rules: [const { None }; 4],
                crossing: Duration::from_millis(20),
                faults: FaultPlan::none(),
                script: Script::new(),
                catalogue: None,
                renames: Renames::default(),
                slots: None,
                require_headers: false,
                handler: None,
            },
        }
    }

    /// Listens at `address`, which has to be a loopback address.
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Listens at `port`; 0 takes a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.address.set_port(port);
        self
    }

    /// Holds the client of `api` to `rule`.
    pub fn rule(mut self, api: Api, rule: Rule) -> Self {
        self.config.rules[api.index()] = Some(rule);
        self
    }

    /// Holds the client of an API to a rule, both in one value.
    pub fn named_rule(self, named: NamedRule) -> Self {
        self.rule(named.api, named.rule)
    }

    /// Holds the client of GitHub to `rule`.
    pub fn github(self, rule: Rule) -> Self {
        self.rule(Api::Github, rule)
    }

    /// Holds the client of GitHub Search to `rule`.
    pub fn github_search(self, rule: Rule) -> Self {
        self.rule(Api::GithubSearch, rule)
    }

    /// Holds the client of Anthropic to `rule`.
    pub fn anthropic(self, rule: Rule) -> Self {
        self.rule(Api::Anthropic, rule)
    }

    /// Holds the client of the external API to `rule`.
    pub fn external(self, rule: Rule) -> Self {
        self.rule(Api::External, rule)
    }

    /// Holds the clients of all APIs to their [presets](Rule::preset).
    pub fn presets(self) -> Self {
        Api::ALL
            .into_iter()
            .fold(self, |builder, api| builder.rule(api, Rule::preset(api)))
    }

    /// Misbehaves as planned.
    pub fn faults(mut self, faults: FaultPlan) -> Self {
        self.config.faults = faults;
        self
    }

    /// Answers as scripted.
    pub fn script(mut self, script: Script) -> Self {
        self.config.script = script;
        self
    }

    /// Knows the repositories of `catalogue` and no others.
    pub fn catalogue(mut self, catalogue: Catalogue) -> Self {
        self.config.catalogue = Some(Arc::new(catalogue));
        self
    }

    /// Has a share of the repositories, from 0 to 1, another name today: which ones is a pure
    /// function of their names.
    ///
    /// As at GitHub, the old name is answered with 301, and the `Location` is the repository's number:
    /// `/repositories/{id}`. That answer costs a unit of quota, as any other does.
    pub fn renamed(mut self, share: f64) -> Self {
        self.config.renames = Renames::new(share);
        self
    }

    /// Bounds how many requests wait for their response heads at once.
    pub fn header_slots(mut self, slots: HeaderSlots) -> Self {
        self.config.slots = Some(slots);
        self
    }

    /// Excuses requests that arrive up to `allowance` after everyone was told to stay away: they
    /// may have been under way when their client heard of it. See
    /// [`ApiScore::pause_violations`](crate::ApiScore::pause_violations).
    pub fn crossing(mut self, allowance: Duration) -> Self {
        self.config.crossing = allowance;
        self
    }

    /// Requires the headers that the APIs document as required: `user-agent` at GitHub, `x-api-key`
    /// (or `authorization`) and `anthropic-version` at Anthropic.
    pub fn require_headers(mut self, require: bool) -> Self {
        self.config.require_headers = require;
        self
    }

    /// Asks `handler` first about every request that is served; the origin's own routes answer
    /// where it returns `None`.
    ///
    /// Limits, faults and scores apply to its responses as to all others. It runs on the origin's
    /// only thread and must not block.
    pub fn handler<F>(mut self, handler: F) -> Self
    where
        F: Fn(&Request<Bytes>) -> Option<Response<Bytes>> + Send + Sync + 'static,
    {
        self.config.handler = Some(Handler(Arc::new(handler)));
        self
    }

    /// Starts the origin on a thread of its own; it listens when this returns.
    ///
    /// The future needs no particular runtime. Dropping it stops the origin.
    ///
    /// # Errors
    ///
    /// An address that is not a loopback address is refused; binding it or starting the thread can
    /// fail.
    pub async fn start(self) -> Result<StrictOrigin, StartError> {
        origin::start(self.address, self.config).await
    }
}

/// A handler of the user's.
#[derive(Clone)]
pub(crate) struct Handler(Arc<Handle>);

type Handle = dyn Fn(&Request<Bytes>) -> Option<Response<Bytes>> + Send + Sync;

impl Handler {
    pub(crate) fn handle(&self, request: &Request<Bytes>) -> Option<Response<Bytes>> {
        (self.0)(request)
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handler")
    }
}
