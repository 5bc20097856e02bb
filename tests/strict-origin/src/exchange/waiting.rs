//! A request between the arrival of its head and the departure of its response's.

use std::{sync::Arc, time::Duration};

use super::Asked;
use crate::{Api, returns::Told, state::Shared};

/// Counts a request as waiting for its response head until it is dropped.
#[derive(Debug)]
pub(super) struct Waiting {
    shared: Arc<Shared>,
    api: Api,
    pub(super) arrived: Duration,
    answered: bool,
}

impl Waiting {
    pub(super) fn arrive(shared: &Arc<Shared>, asked: &Asked) -> Self {
        let mut state = shared.state();
        // Read under the lock, so that the books see the times in order.
        let arrived = shared.clock.now().at;
        state.tally.waiting.rise();
        state.ledger(asked.api).arrive(&asked.request, arrived);
        Self {
            shared: Arc::clone(shared),
            api: asked.api,
            arrived,
            answered: false,
        }
    }

    pub(super) fn answer(&mut self, asked: &Asked, failed: bool, told: Option<Told>) {
        self.answered = true;
        let mut state = self.shared.state();
        let now = self.shared.clock.now().at;
        state
            .ledger(asked.api)
            .returns
            .answered(&asked.request, failed, told, now);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.tally.waiting.fall();
        state.ledger(self.api).leave();
        if !self.answered {
            state.tally.abandoned += 1;
        }
    }
}
