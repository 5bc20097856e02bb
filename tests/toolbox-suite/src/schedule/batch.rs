//! Adds, pushes, flushes, cancels, failures, and an end in the middle.

use super::{Dice, Ending, Fates, Size};
use crate::{count, same, text};
use futures_util::{
    future::{join_all, select},
    join,
};
use std::{cell::Cell, pin::pin};
use tower_egress::{
    Timer,
    batch::{Batch, BatchBuilder, BatchError, Batches},
};

type Handled = Result<Vec<Result<u32, &'static str>>, &'static str>;

/// What was said of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fate {
    /// It was not offered, or who offered it gave up.
    #[default]
    Unknown,
    /// Its push was accepted.
    Accepted,
    Right,
    Wrong,
    Bad,
    /// Its batch failed as a whole.
    Whole,
    Closed,
    Lost,
    LostAndTaken,
}

/// Runs one schedule, and returns how it ended and how many items a handler was given.
///
/// Law: whatever was added is handled once, withdrawn, or lost; whoever waits is told the truth about its item; the figures
/// balance at every moment.
///
/// # Errors
///
/// What is wrong.
pub async fn batch<T: Timer>(timer: T, seed: u64, size: Size) -> Result<(Ending, u64), String> {
    let dice = Dice::new(seed, timer.clone(), size.longest);
    let fates = Fates::new(size.items);
    let items = dice.number(size.items / 2..size.items) + 1;
    let keys = dice.number(1..5);
    let (ending, end_at) = (Ending::of(&dice), dice.number(0..items));
    let strange = Cell::new(None);
    let handler = |key: &u32, items: Vec<u32>| {
        for item in &items {
            fates.begin(*item);
            if item % keys != *key {
                strange.set(Some(*item));
            }
        }
        let (mode, takes, dice) = (dice.number(0..12), dice.time(), &dice);
        async move {
            dice.sleep(takes).await;
            match mode {
                0 => Err("down"),
                1 => Handled::Ok(vec![Ok(0); items.len() + 1]),
                _ => Ok(items.into_iter().map(answer).collect()),
            }
        }
    };
    let (batches, run) = builder(&dice).build_keyed(timer, handler);

    let (next, at_work) = (Cell::new(0), Cell::new(size.clients));
    let clients = join_all((0..size.clients).map(|_| {
        let batches = batches.clone();
        let (dice, fates, next, at_work) = (&dice, &fates, &next, &at_work);
        async move {
            while next.get() < items {
                let item = next.replace(next.get() + 1);
                dice.sleep(dice.time()).await;
                let offer = pin!(offer(&batches, dice, fates, item, item % keys));
                if dice.once_in(4) {
                    select(offer, pin!(dice.sleep(dice.time()))).await;
                } else {
                    offer.await;
                }
            }
            at_work.set(at_work.get() - 1);
        }
    }));
    let closer = batches.clone();
    let is_time = || next.get() > end_at || at_work.get() == 0;
    let is_over = Cell::new(false);
    let run = async {
        if ending == Ending::Dropped {
            select(pin!(run), pin!(dice.until(is_time))).await;
        } else {
            run.await;
        }
        is_over.set(true);
    };
    let close = async {
        let closer = closer;
        dice.until(is_time).await;
        if ending == Ending::Told {
            closer.close().await.map_err(text)?;
            let stats = closer.stats();
            same("left", (stats.waiting, stats.handling), (0, 0))?;
        }
        Ok::<_, String>(())
    };
    let look = async {
        let batches = batches;
        loop {
            let s = batches.stats();
            let sum = s.waiting + s.handling + s.succeeded + s.failed + s.withdrawn + s.lost;
            same("sum", sum, s.added)?;
            if at_work.get() == 0 && (ending == Ending::Natural || is_over.get()) {
                break;
            }
            dice.until_soon().await;
        }
        if ending == Ending::Natural && dice.once_in(2) {
            batches.flush().await.map_err(text)?;
        }
        // The last handle, at the latest here, is what a natural end waits for.
        Ok::<_, String>(batches.stats())
    };
    let (_, (), closed, stats) = join!(clients, run, close, look);
    closed?;
    let stats = stats?;

    same("an item of another key", strange.get(), None)?;
    let begun = fates.check(|item, begun, fate| match fate {
        Fate::Unknown => true,
        Fate::Accepted => begun || ending == Ending::Dropped,
        Fate::Right => begun && answer(item).is_ok(),
        Fate::Wrong => false,
        Fate::Bad => begun && answer(item).is_err(),
        Fate::Whole => begun,
        Fate::Closed => !begun && ending == Ending::Told,
        Fate::Lost => !begun && ending == Ending::Dropped,
        Fate::LostAndTaken => begun && ending == Ending::Dropped,
    })?;
    if ending == Ending::Told {
        same("handled", stats.succeeded + stats.failed, begun)?;
    }
    Ok((ending, begun))
}

fn builder<T: Timer>(dice: &Dice<T>) -> BatchBuilder {
    let count = |most| count(dice.number(1..most) as usize);
    Batch::builder()
        .max_items(count(8))
        .max_wait(dice.time())
        .capacity(count(20))
        .concurrency(count(4))
        .max_keys(count(4))
}

fn answer(item: u32) -> Result<u32, &'static str> {
    if item % 7 == 3 { Err("bad") } else { Ok(item) }
}

/// Pushes or adds an item and notes what is said of it, or flushes instead.
async fn offer<T: Timer>(
    batches: &Batches<u32, u32, u32, &'static str>,
    dice: &Dice<T>,
    fates: &Fates<Fate>,
    item: u32,
    key: u32,
) {
    let said = match dice.number(0..10) {
        0 => return drop(batches.flush().await),
        1..4 => match batches.push(key, item).await {
            Ok(()) => return fates.end(item, Fate::Accepted),
            Err(error) => Err(error),
        },
        _ => batches.add(key, item).await,
    };
    let fate = match said {
        Ok(result) if result == item => Fate::Right,
        Ok(_) => Fate::Wrong,
        Err(BatchError::Item(_)) => Fate::Bad,
        Err(BatchError::Closed) => Fate::Closed,
        Err(BatchError::Gone { taken: true, .. }) => Fate::LostAndTaken,
        Err(BatchError::Gone { .. }) => Fate::Lost,
        Err(_) => Fate::Whole,
    };
    fates.end(item, fate);
}
