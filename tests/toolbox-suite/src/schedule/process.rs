//! Work, order, consumers, limits, failures, and an end in the middle.

use super::{Dice, Ending, Fates, Size};
use crate::{Busy, count, same, text};
use futures_util::{
    future::{Either, select},
    join,
};
use std::{cell::Cell, pin::pin, time::Duration};
use tower_egress::{
    Bucket, Limiter, Quota, Timer,
    process::{End, Process},
};

/// So many errors are kept, which are all of a small schedule.
const KEPT: usize = 300;

/// What has become of an item that was begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fate {
    #[default]
    Unknown,
    Failed,
    Consumed,
}

/// Runs one schedule, and returns how it ended and how many items were begun.
///
/// Law: the first `begun` items were begun once each and no others; each of those was done or failed; each result
/// was consumed once; no more were at work than allowed.
///
/// # Errors
///
/// What is wrong.
pub async fn process<T: Timer>(timer: T, seed: u64, size: Size) -> Result<(Ending, u64), String> {
    let dice = Dice::new(seed, timer.clone(), size.longest);
    let fates = Fates::new(size.items);
    let items = dice.number(0..size.items + 1);
    let concurrency = dice.number(1..size.clients.max(1) + 1);
    let fails = dice.number(2..50);
    let limiter = Limiter::new(count(dice.number(1..4) as usize), timer.clone());
    let in_order = dice.once_in(2);
    let stops_at_error = dice.once_in(4);
    let mut process = Process::iter(0..items, timer.clone())
        .concurrency(count(concurrency as usize))
        .keep_errors(KEPT);
    if !in_order {
        process = process.as_they_come();
    }
    if stops_at_error {
        process = process.stop_at_first_error();
    }
    if dice.once_in(3) {
        process = process.pause_every(count(dice.number(1..10) as usize));
    }
    if dice.once_in(2) {
        process = process.connection_limit(limiter.clone());
    }
    if dice.once_in(4) {
        let window = Duration::from_millis(10 * size.longest);
        let quota = Quota::new(50, window).and_then(|quota| quota.with_burst(dice.number(1..10)));
        process = process.rate_limit(Bucket::new(quota.map_err(text)?));
    }
    let handle = process.handle();
    let (ending, end_at) = (Ending::of(&dice), dice.number(0..items + 1));

    let (busy, next) = (Busy::default(), Cell::new(0));
    let is_out_of_turn = Cell::new(false);
    let work = |number: u32| {
        is_out_of_turn.set(is_out_of_turn.get() || number != next.get());
        next.set(number + 1);
        fates.begin(number);
        let (takes, dice, busy) = (dice.time(), &dice, &busy);
        async move {
            let _here = busy.enter();
            dice.sleep(takes).await;
            if number % fails == 1 {
                Err(number)
            } else {
                Ok(number)
            }
        }
    };
    let (last, is_consumed_twice) = (Cell::new(None), Cell::new(false));
    let consume = async |number: u32| {
        is_out_of_turn.set(is_out_of_turn.get() || (in_order && last.get() >= Some(number)));
        last.set(Some(number));
        is_consumed_twice.set(is_consumed_twice.get() || fates.get(number) != Fate::Unknown);
        fates.end(number, Fate::Consumed);
        if dice.once_in(2) {
            drop(limiter.acquire().await);
        }
        dice.sleep(dice.time() / 2).await;
        if number % fails == 2 {
            Err(number)
        } else {
            Ok(())
        }
    };
    let is_over = Cell::new(false);
    let is_time = || next.get() >= end_at || is_over.get();
    let run = async {
        let run = pin!(process.for_each(work, consume));
        let outcome = if ending == Ending::Dropped {
            match select(run, pin!(dice.until(is_time))).await {
                Either::Left((outcome, _)) => Some(outcome),
                Either::Right(_) => None,
            }
        } else {
            Some(run.await)
        };
        is_over.set(true);
        outcome
    };
    let stop = async {
        dice.until(is_time).await;
        if ending == Ending::Told {
            handle.stop();
        }
    };
    let (outcome, ()) = join!(run, stop);

    same("at work", busy.now(), 0)?;
    same("permits", limiter.stats().in_flight, 0)?;
    same(
        "too many at once",
        busy.most() > concurrency as usize,
        false,
    )?;
    same("out of turn", is_out_of_turn.get(), false)?;
    same("consumed twice", is_consumed_twice.get(), false)?;
    same("it is over", handle.progress().is_over, true)?;
    let begun = u64::from(next.get());
    let Some(outcome) = outcome else {
        same(
            "begun",
            fates.check(|_, begun, fate| begun || fate == Fate::Unknown)?,
            begun,
        )?;
        return Ok((ending, begun));
    };
    for failed in &outcome.errors {
        fates.end(failed.error, Fate::Failed);
    }
    let all_are_kept = outcome.errors.len() < KEPT;
    let fate_of = |item: u32| match item % fails {
        1 | 2 if all_are_kept => Fate::Failed,
        1 => Fate::Unknown,
        _ => Fate::Consumed,
    };
    let counted = fates.check(|item, begun, fate| match (begun, all_are_kept) {
        (false, _) => fate == Fate::Unknown,
        (true, false) if fate == Fate::Failed => [1, 2].contains(&(item % fails)),
        _ => fate == fate_of(item),
    })?;
    same("begun", (counted, outcome.begun), (begun, begun))?;
    same("accounted for", outcome.done + outcome.failed, begun)?;
    same("left", outcome.left, Some(u64::from(items) - begun))?;
    let is_right = match outcome.end {
        End::Complete => outcome.left == Some(0),
        End::Stopped => ending == Ending::Told,
        End::Failed => stops_at_error && outcome.failed > 0,
        _ => false,
    };
    same("it ends as it said", is_right, true)?;
    Ok((ending, begun))
}
