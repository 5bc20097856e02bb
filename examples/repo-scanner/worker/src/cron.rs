//! What is done by the clock.

/// What a cron trigger asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cron {
    /// To scan the list that ships with the Worker.
    Scan,
    /// To delete what is old.
    CleanUp,
}

/// The trigger of the clean-up, as wrangler.toml has it; any other scans.
const CLEAN_UP: &str = "30 4 * * *";

impl Cron {
    /// What this trigger asks for.
    pub(crate) fn of(trigger: &str) -> Self {
        match trigger {
            CLEAN_UP => Self::CleanUp,
            _ => Self::Scan,
        }
    }

    /// Where the object takes it.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Scan => "/cron/scan",
            Self::CleanUp => "/cron/clean-up",
        }
    }

    /// What is asked for at a path.
    pub(crate) fn at(path: &str) -> Option<Self> {
        [Self::Scan, Self::CleanUp]
            .into_iter()
            .find(|cron| cron.path() == path)
    }
}
