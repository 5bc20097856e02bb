//! What a ledger hands out and answers.

/// A place in the queue, and later the right to depart. Not `Clone`: it can be used once.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(super) id: u64,
    pub(super) cost: u32,
    /// Its place among those whose slot has passed, if it was ever given one.
    pub(super) place: Option<u64>,
    /// Whether its owner has tickets of other ledgers, and needs all of them.
    pub(super) is_shared: bool,
}

impl Ticket {
    pub(crate) const fn id(&self) -> u64 {
        self.id
    }

    pub(crate) const fn cost(&self) -> u32 {
        self.cost
    }

    /// Whether it has, or had, a place in the line of those who are late.
    pub(crate) const fn has_place(&self) -> bool {
        self.place.is_some()
    }

    /// Makes it one of several that depart together.
    pub(crate) const fn shared(mut self) -> Self {
        self.is_shared = true;
        self
    }
}

/// May a ticket depart?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Now.
    Due,
    /// Not before this time, as far as is known now.
    NotUntil(u64),
    /// Its slot has passed. Not before this time, and it has to [line up](super::Ledger::line_up) to be sure of that.
    Late(u64),
    /// Never: the burst is below its cost, since the quota was changed.
    TooDear,
}

/// A departure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Departed {
    /// How many departed before it.
    pub(crate) number: u64,
    /// Whether others wait for its outcome.
    pub(crate) is_probe: bool,
}

/// How many tickets went which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) accepted: u64,
    pub(crate) departed: u64,
    pub(crate) cancelled: u64,
}
