//! Every way in which a body ends is reported, once, and as early as it can be known.

use bytes::Bytes;
use egress_body_end::{BodyEnd, ObservedBody, has_body};
use http::{HeaderMap, Method, StatusCode};
use http_body::{Body, Frame, SizeHint};
use std::{
    cell::RefCell,
    collections::VecDeque,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker},
};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

enum Step {
    Data,
    Trailers,
    Error,
    Pending,
}

/// A body that does what its script says; `knows_its_end` is what `is_end_stream` tells of an empty script.
struct Scripted {
    script: RefCell<VecDeque<Step>>,
    knows_its_end: bool,
}

impl Scripted {
    /// What was to come is that nothing comes.
    fn learns_its_end(&self) {
        self.script.borrow_mut().clear();
    }
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        let step = self.script.borrow_mut().pop_front();
        match step {
            None => Poll::Ready(None),
            Some(Step::Data) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"data"))))),
            Some(Step::Trailers) => Poll::Ready(Some(Ok(Frame::trailers(HeaderMap::new())))),
            Some(Step::Error) => Poll::Ready(Some(Err("reset by peer"))),
            Some(Step::Pending) => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.knows_its_end && self.script.borrow().is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(4)
    }
}

type Ends = Rc<RefCell<Vec<BodyEnd>>>;

fn observed(
    knows_its_end: bool,
    script: impl IntoIterator<Item = Step>,
) -> (ObservedBody<Scripted, impl FnOnce(BodyEnd)>, Ends) {
    let ends = Ends::default();
    let body = Scripted {
        script: RefCell::new(script.into_iter().collect()),
        knows_its_end,
    };
    let record = Rc::clone(&ends);
    let body = ObservedBody::new(body, move |end| record.borrow_mut().push(end));
    (body, ends)
}

/// Polls `times` and returns what was reported by then; the body is dropped afterwards and may report nothing more.
fn ends_after(
    times: usize,
    (body, ends): (ObservedBody<Scripted, impl FnOnce(BodyEnd)>, Ends),
) -> Vec<BodyEnd> {
    let before_drop = {
        let mut body = pin!(body);
        for _ in 0..times {
            let _ = body
                .as_mut()
                .poll_frame(&mut Context::from_waker(Waker::noop()));
        }
        ends.borrow().clone()
    };
    let after_drop = ends.borrow().clone();
    assert_eq!(
        after_drop.len(),
        1,
        "an end is reported exactly once: {after_drop:?}"
    );
    before_drop
}

#[test]
fn an_empty_body_is_over_before_it_is_polled() {
    assert_eq!(ends_after(0, observed(true, [])), [BodyEnd::Complete]);
}

#[test]
fn the_last_frame_ends_a_body_that_knows_its_end() {
    let body = observed(true, [Step::Data, Step::Data]);
    assert_eq!(ends_after(2, body), [BodyEnd::Complete]);
}

#[test]
fn a_body_that_does_not_know_its_end_ends_with_none() {
    assert_eq!(ends_after(1, observed(false, [Step::Data])), []);
    assert_eq!(
        ends_after(2, observed(false, [Step::Data])),
        [BodyEnd::Complete]
    );
}

#[test]
fn trailers_end_a_body() {
    let body = observed(false, [Step::Data, Step::Trailers]);
    assert_eq!(ends_after(2, body), [BodyEnd::Complete]);
}

#[test]
fn an_error_ends_a_body_and_nothing_after_it_is_reported() {
    let body = observed(true, [Step::Data, Step::Error, Step::Data]);
    assert_eq!(ends_after(2, body), [BodyEnd::Failed]);
    let body = observed(false, [Step::Error, Step::Data]);
    assert_eq!(ends_after(4, body), [BodyEnd::Failed]);
}

#[test]
fn a_pending_body_that_is_dropped_was_dropped() {
    let body = observed(true, [Step::Data, Step::Pending, Step::Data]);
    assert_eq!(ends_after(2, body), [], "nothing before the drop");
    let (body, ends) = observed(true, [Step::Data]);
    drop(body);
    assert_eq!(*ends.borrow(), [BodyEnd::Dropped]);
}

/// HTTP/2: `END_STREAM` arrives alone, when the last frame was taken, and nobody polls any more.
#[test]
fn an_end_that_is_learned_between_two_polls_is_reported_with_the_next() {
    let (body, ends) = observed(true, [Step::Data, Step::Pending]);
    let mut body = Box::pin(body);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(body.as_mut().poll_frame(&mut cx).is_ready());
    body.as_ref().get_ref().get_ref().learns_its_end();
    assert!(ends.borrow().is_empty(), "there is nobody to notice it");
    assert!(matches!(
        body.as_mut().poll_frame(&mut cx),
        Poll::Ready(None)
    ));
    assert_eq!(*ends.borrow(), [BodyEnd::Complete]);
}

/// An owner need not poll a body that says it is at its end. Such a body was reported as dropped.
#[test]
fn who_was_told_that_nothing_more_comes_has_read_to_the_end() {
    for asks in [true, false] {
        let (body, ends) = observed(true, [Step::Data, Step::Pending]);
        let mut body = Box::pin(body);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(body.as_mut().poll_frame(&mut cx).is_ready());
        assert!(!body.is_end_stream());
        body.as_ref().get_ref().get_ref().learns_its_end();
        assert!(!asks || body.is_end_stream());
        assert!(ends.borrow().is_empty(), "to ask changes nothing yet");
        drop(body);
        let end = if asks {
            BodyEnd::Complete
        } else {
            BodyEnd::Dropped
        };
        assert_eq!(*ends.borrow(), [end], "asks: {asks}");
    }
}

/// Not even a body that takes it back is reported twice.
#[test]
fn what_is_polled_after_it_told_its_end_ends_as_it_does() {
    let (body, ends) = observed(true, [Step::Data, Step::Pending]);
    let mut body = Box::pin(body);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(body.as_mut().poll_frame(&mut cx).is_ready());
    let inner = body.as_ref().get_ref().get_ref();
    inner.learns_its_end();
    assert!(body.is_end_stream());
    inner.script.borrow_mut().push_back(Step::Error);
    assert!(body.as_mut().poll_frame(&mut cx).is_ready());
    drop(body);
    assert_eq!(*ends.borrow(), [BodyEnd::Failed]);
}

#[test]
fn polling_after_the_end_reports_nothing_more() {
    assert_eq!(
        ends_after(5, observed(false, [Step::Data])),
        [BodyEnd::Complete]
    );
}

#[test]
fn size_and_end_are_the_inner_bodys() {
    let (body, _ends) = observed(true, [Step::Data]);
    assert_eq!(body.size_hint().exact(), Some(4));
    assert!(!body.is_end_stream());
    let (body, _ends) = observed(true, []);
    assert!(body.is_end_stream());
}

#[test]
fn responses_without_a_body_are_known() {
    assert!(has_body(&Method::GET, StatusCode::OK));
    assert!(has_body(&Method::GET, StatusCode::NOT_FOUND));
    assert!(!has_body(&Method::HEAD, StatusCode::OK));
    assert!(!has_body(&Method::GET, StatusCode::NO_CONTENT));
    assert!(!has_body(&Method::GET, StatusCode::NOT_MODIFIED));
    assert!(!has_body(&Method::CONNECT, StatusCode::OK));
    assert!(has_body(&Method::CONNECT, StatusCode::BAD_GATEWAY));
}

/// Who was told wrong, and reads on, has not read to the end.
#[test]
fn a_body_that_takes_its_end_back_and_is_dropped_then_was_dropped() {
    let (body, ends) = observed(true, [Step::Data, Step::Pending]);
    let mut body = Box::pin(body);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(body.as_mut().poll_frame(&mut cx).is_ready());
    let inner = body.as_ref().get_ref().get_ref();
    inner.learns_its_end();
    assert!(body.is_end_stream());
    inner.script.borrow_mut().extend([Step::Data, Step::Data]);
    assert!(body.as_mut().poll_frame(&mut cx).is_ready());
    drop(body);
    assert_eq!(*ends.borrow(), [BodyEnd::Dropped]);
}
