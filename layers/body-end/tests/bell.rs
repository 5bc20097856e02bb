//! A bell remembers that an owner was called.

use egress_body_end::{Bell, is_look, looking};
use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};
use tokio_test::task::spawn;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Something pending that keeps the last waker.
#[derive(Default)]
struct Source {
    waker: Option<Waker>,
    polls: u32,
}

impl Source {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.polls += 1;
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn wake(&mut self) {
        self.waker.take().expect("it was polled").wake();
    }
}

/// K3
#[test]
fn who_is_woken_is_woken_through_it_and_it_remembers() {
    let (mut task, mut bell, mut source) = (spawn(()), None, Source::default());
    let pending = task.enter(|cx, _| Bell::poll(&mut bell, cx, |cx| source.poll(cx)));
    assert!(pending.is_pending());
    let first = Arc::clone(bell.as_ref().expect("something is pending"));
    assert!(!first.has_rung() && !task.is_woken());
    source.wake();
    assert!(first.has_rung() && task.is_woken());

    let pending = task.enter(|cx, _| Bell::poll(&mut bell, cx, |cx| source.poll(cx)));
    assert!(pending.is_pending());
    assert!(!first.has_rung(), "the owner has come");
    assert!(Arc::ptr_eq(&first, bell.as_ref().expect("it stays")));
    assert_eq!(source.polls, 3, "twice when it was hung, once since");
}

#[test]
fn what_is_ready_at_once_hangs_none() {
    let (mut task, mut bell) = (spawn(()), None);
    let ready = task.enter(|cx, _| Bell::poll(&mut bell, cx, |_| Poll::Ready(())));
    assert!(ready.is_ready() && bell.is_none());
}

#[test]
fn a_source_that_rings_in_its_own_poll_has_rung() {
    let (mut task, mut bell) = (spawn(()), None);
    let pending: Poll<()> = task.enter(|cx, _| {
        Bell::poll(&mut bell, cx, |cx| {
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    });
    assert!(pending.is_pending() && task.is_woken());
    assert!(bell.expect("something is pending").has_rung());
}

#[test]
fn another_task_gets_another_bell() {
    let (mut one, mut other) = (spawn(()), spawn(()));
    let (mut bell, mut source) = (None, Source::default());
    let _ = one.enter(|cx, _| Bell::poll(&mut bell, cx, |cx| source.poll(cx)));
    let _ = other.enter(|cx, _| Bell::poll(&mut bell, cx, |cx| source.poll(cx)));
    source.wake();
    assert!(other.is_woken() && !one.is_woken());
    assert!(bell.expect("something is pending").has_rung());
}

#[test]
fn who_only_looks_hangs_none_and_takes_down_one_that_hangs() {
    let (mut task, mut bell, mut source) = (spawn(()), None, Source::default());
    let _ = task.enter(|cx, _| Bell::poll(&mut bell, cx, |cx| source.poll(cx)));
    assert!(bell.is_some());
    let mut cx = Context::from_waker(looking());
    let pending = Bell::poll(&mut bell, &mut cx, |cx| source.poll(cx));
    assert!(pending.is_pending() && bell.is_none());
    assert_eq!(source.polls, 3);
}

/// A waker that does nothing was not always known as such in another crate than its own.
#[test]
fn a_look_is_recognised_everywhere() {
    assert!(is_look(&Context::from_waker(looking())));
    let mut task = spawn(());
    assert!(!task.enter(|cx, _| is_look(cx)));
    let (mut bell, mut looks) = (None, Vec::new());
    let pending: Poll<()> = task.enter(|cx, _| {
        Bell::poll(&mut bell, cx, |cx| {
            looks.push(is_look(cx));
            Poll::Pending
        })
    });
    assert!(pending.is_pending());
    assert_eq!(
        looks,
        [true, false],
        "the first poll looks, the second waits"
    );
}
