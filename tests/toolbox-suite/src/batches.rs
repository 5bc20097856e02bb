//! Batches.

use crate::{
    count, same,
    schedule::{self, Size},
    text,
};
use futures_util::{StreamExt, future::join_all, join, stream::FuturesUnordered};
use std::time::Duration;
use tower_egress::{
    Timer,
    batch::{Batch, BatchBuilder, BatchError, process_in_chunks},
};

type Handled = Result<Vec<Result<u32, &'static str>>, &'static str>;

async fn double(numbers: Vec<u32>) -> Handled {
    Ok(numbers
        .into_iter()
        .map(|number| match number {
            13 => Err("unlucky"),
            _ => Ok(number * 2),
        })
        .collect())
}

/// Only full batches, and what is flushed.
fn untimed() -> BatchBuilder {
    Batch::builder().max_wait(Duration::MAX)
}

pub(crate) async fn a_full_batch_is_handled<T: Timer>(timer: T) -> Result<(), String> {
    let (batch, run) = untimed().max_items(count(3)).build(timer, double);
    let work = async {
        let answers = join_all([1, 2, 3].map(|number| batch.add(number))).await;
        drop(batch);
        answers
    };
    let (answers, ()) = join!(work, run);
    same("answers", answers, vec![Ok(2), Ok(4), Ok(6)])
}

pub(crate) async fn a_batch_is_handled_when_its_time_has_come<T: Timer>(
    timer: T,
) -> Result<(), String> {
    let builder = Batch::builder().max_wait(Duration::from_millis(2));
    let (batch, run) = builder.build(timer, double);
    let work = async {
        let answer = batch.add(4).await;
        batch.close().await.map_err(text)?;
        same("answer", answer, Ok(8))
    };
    join!(work, run).0
}

pub(crate) async fn a_flush_is_over_when_everything_is_answered<T: Timer>(
    timer: T,
) -> Result<(), String> {
    let (batch, run) = untimed().build(timer, double);
    let work = async {
        for number in 0..7 {
            batch.push(number).await.map_err(text)?;
        }
        batch.flush().await.map_err(text)?;
        let stats = batch.stats();
        same("answered", (stats.succeeded, stats.batches), (7, 1))?;
        batch.flush().await.map_err(text)?;
        same("batches", batch.stats().batches, 1)?;
        batch.close().await.map_err(text)
    };
    join!(work, run).0
}

pub(crate) async fn a_bad_item_fails_alone<T: Timer>(timer: T) -> Result<(), String> {
    let (batch, run) = untimed().max_items(count(3)).build(timer, double);
    let work = async {
        let answers = join_all([12, 13, 14].map(|number| batch.add(number))).await;
        drop(batch);
        answers
    };
    let (answers, ()) = join!(work, run);
    let expected = vec![Ok(24), Err(BatchError::Item("unlucky")), Ok(28)];
    same("answers", answers, expected)
}

pub(crate) async fn a_wrong_count_is_everybodys<T: Timer>(timer: T) -> Result<(), String> {
    let short = |_: Vec<u32>| async { Handled::Ok(vec![Ok(1)]) };
    let (batch, run) = untimed().max_items(count(2)).build(timer, short);
    let work = async {
        let answers = join!(batch.add(1), batch.add(2));
        drop(batch);
        answers
    };
    let (answers, ()) = join!(work, run);
    for answer in [answers.0, answers.1] {
        let is_said = matches!(
            answer,
            Err(BatchError::WrongCount {
                items: 2,
                results: 1,
                ..
            })
        );
        same("it is said", is_said, true)?;
    }
    Ok(())
}

pub(crate) async fn a_closed_batch_refuses<T: Timer>(timer: T) -> Result<(), String> {
    let (batch, run) = untimed().build(timer, double);
    let work = async {
        let (answer, closed) = join!(batch.add(5), batch.close());
        closed.map_err(text)?;
        same("what was added before", answer, Ok(10))?;
        same("later", batch.add(6).await, Err(BatchError::Closed))?;
        same("pushed", batch.push(6).await, Err(BatchError::Closed))
    };
    join!(work, run).0
}

pub(crate) async fn nobody_hangs_when_the_run_is_gone<T: Timer>(timer: T) -> Result<(), String> {
    let (batch, run) = untimed().build(timer, double);
    let waiting = async { batch.add(5).await };
    let (answer, ()) = join!(waiting, async { drop(run) });
    let is_gone = matches!(answer, Err(BatchError::Gone { taken: false, .. }));
    same("it is gone", is_gone, true)?;
    let is_gone = matches!(batch.add(6).await, Err(BatchError::Gone { .. }));
    same("it stays gone", is_gone, true)
}

pub(crate) async fn keys_are_handled_apart<T: Timer>(timer: T) -> Result<(), String> {
    let (tables, run) = untimed().build_keyed(timer, |table: &char, rows: Vec<u32>| {
        let answer = format!("{table}{}", rows.len());
        async move { Ok::<_, &str>(rows.iter().map(|_| Ok(answer.clone())).collect()) }
    });
    let work = async {
        let (one, two, three, closed) = join!(
            tables.add('a', 1),
            tables.add('b', 2),
            tables.add('a', 3),
            tables.close()
        );
        closed.map_err(text)?;
        let answers = [one, two, three].map(|answer| answer.unwrap_or_default());
        same("answers", answers.join(" "), "a2 b1 a2".to_owned())
    };
    join!(work, run).0
}

pub(crate) async fn many_items_are_answered_once<T: Timer>(timer: T) -> Result<(), String> {
    let builder = Batch::builder().max_wait(Duration::ZERO);
    let (batch, run) = builder.concurrency(count(3)).build(timer, double);
    let work = async {
        let mut answers: FuturesUnordered<_> = (100..5100)
            .map(|number| {
                let answer = batch.add(number);
                async move { (number, answer.await) }
            })
            .collect();
        drop(batch);
        let mut right = 0;
        while let Some((number, answer)) = answers.next().await {
            same("answer", answer, Ok(number * 2))?;
            right += 1;
        }
        same("answers", right, 5000)
    };
    join!(work, run).0
}

pub(crate) async fn chunks_keep_their_order<T: Timer>(_: T) -> Result<(), String> {
    let results = process_in_chunks(20..31, count(4), double, count(2)).await;
    let expected: Vec<_> = (20..31).map(|number| Ok(number * 2)).collect();
    same("results", results, expected)
}

pub(crate) async fn an_end_in_the_middle_loses_nothing<T: Timer>(timer: T) -> Result<(), String> {
    let size = Size {
        items: 1000,
        clients: 50,
        longest: 3,
    };
    for seed in [3, 4, 5] {
        schedule::batch(timer.clone(), seed, size).await?;
    }
    Ok(())
}
