//! What becomes of a redirection.

/// What a fetch does when it is redirected. Put it into the request's extensions.
///
/// Without it a redirection is returned as it is, as hyper does: a hop that the runtime follows by itself pays no rate
/// limit, counts as a subrequest all the same, and may go to another host than was meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Redirect {
    /// The redirection is the response.
    #[default]
    Manual,
    /// The runtime follows. A body in memory is sent again where the status asks for it (307, 308); with a streamed one
    /// the fetch fails there.
    Follow,
}

impl Redirect {
    /// Its name in JavaScript.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Follow => "follow",
        }
    }
}
