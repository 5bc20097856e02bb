//! Random schedules: who comes when, who gives up, what fails, and where it ends, all of it from one seed.

mod batch;
mod process;

pub use self::{batch::batch, process::process};

use std::{cell::RefCell, ops::Range, time::Duration};
use tower_egress::{SleepUntil, Timer};

/// How large a schedule is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// How many items there are at most.
    pub items: u32,
    /// How many at most are on their way at once.
    pub clients: u32,
    /// How long one thing takes at most, in milliseconds: at least 2.
    pub longest: u64,
}

/// What is left to chance.
struct Dice<T> {
    random: RefCell<fastrand::Rng>,
    timer: T,
    longest: u64,
}

impl<T: Timer> Dice<T> {
    fn new(seed: u64, timer: T, longest: u64) -> Self {
        Self {
            random: RefCell::new(fastrand::Rng::with_seed(seed)),
            timer,
            longest,
        }
    }

    fn number(&self, range: Range<u32>) -> u32 {
        self.random.borrow_mut().u32(range)
    }

    /// Is true once in so many times.
    fn once_in(&self, times: u32) -> bool {
        self.number(0..times) == 0
    }

    /// A time of up to the longest.
    fn time(&self) -> Duration {
        Duration::from_millis(self.random.borrow_mut().u64(0..self.longest))
    }

    async fn sleep(&self, time: Duration) {
        SleepUntil::new(self.timer.clone(), self.timer.now() + time).await;
    }

    /// Waits until something is so. Nobody tells: it is looked at now and then.
    async fn until(&self, is_so: impl Fn() -> bool) {
        while !is_so() {
            self.until_soon().await;
        }
    }

    async fn until_soon(&self) {
        self.sleep(Duration::from_millis(1)).await;
    }
}

/// How a schedule ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// What does the work is dropped in the middle.
    Dropped,
    /// It is told to end in the middle.
    Told,
    /// When everything is done.
    Natural,
}

impl Ending {
    fn of<T: Timer>(dice: &Dice<T>) -> Self {
        match dice.number(0..3) {
            0 => Self::Dropped,
            1 => Self::Told,
            _ => Self::Natural,
        }
    }
}

/// What has become of each item, in two bytes.
struct Fates<F>(RefCell<Vec<(u8, F)>>);

impl<F: Copy + Default + std::fmt::Debug> Fates<F> {
    fn new(items: u32) -> Self {
        Self(RefCell::new(
            (0..items).map(|_| (0, F::default())).collect(),
        ))
    }

    /// Notes that the work on it began.
    fn begin(&self, item: u32) {
        if let Some((begun, _)) = self.0.borrow_mut().get_mut(item as usize) {
            *begun = begun.saturating_add(1);
        }
    }

    /// Returns what was said of it so far.
    fn get(&self, item: u32) -> F {
        let fates = self.0.borrow();
        (fates.get(item as usize)).map_or_else(F::default, |(_, fate)| *fate)
    }

    /// Notes what was said of it.
    fn end(&self, item: u32, fate: F) {
        if let Some((_, end)) = self.0.borrow_mut().get_mut(item as usize) {
            *end = fate;
        }
    }

    /// Complains of the first one that is not as it ought to be, and counts how many were begun.
    fn check(&self, is_right: impl Fn(u32, bool, F) -> bool) -> Result<u64, String> {
        let mut begun = 0;
        for (item, (times, fate)) in (0..).zip(self.0.borrow().iter()) {
            if *times > 1 {
                return Err(format!("item {item} was begun {times} times"));
            }
            if !is_right(item, *times == 1, *fate) {
                return Err(format!("item {item}, begun {times} times, was {fate:?}"));
            }
            begun += u64::from(*times);
        }
        Ok(begun)
    }
}
