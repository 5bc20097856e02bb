//! What crosses between wasm and JavaScript: the other half of `bridge.js`.
//!
//! Whoever waits for JavaScript opens a [`Slot`] and hands out its number. What comes back is put there by one of five
//! closures, which exist once: a closure or a `JsFuture` for each promise would cost more than the fetch. A number is not
//! used again, so an answer that comes too late finds nobody.
//!
//! A slot is opened, filled and polled within one invocation. Nothing of one invocation wakes a task of another: that
//! could not use its I/O objects there.

use js_sys::Function;
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    task::{Context, Poll, Waker},
};
use wasm_bindgen::prelude::*;
use worker::web_sys::{AbortSignal, Response};

#[wasm_bindgen(module = "/src/bridge.js")]
extern "C" {
    fn connect(
        answered: &Function,
        chunk: &Function,
        ended: &Function,
        failed: &Function,
        fired: &Function,
    );

    /// One fetch.
    #[derive(Debug)]
    pub(crate) type Exchange;

    #[wasm_bindgen(constructor)]
    pub(crate) fn new(id: u32, head: &str, body: &JsValue) -> Exchange;

    #[wasm_bindgen(method)]
    pub(crate) fn pull(this: &Exchange);

    #[wasm_bindgen(method)]
    pub(crate) fn close(this: &Exchange);

    /// A request body that is sent as it comes.
    #[derive(Debug)]
    pub(crate) type Upload;

    #[wasm_bindgen(constructor)]
    pub(crate) fn new(id: u32, length: Option<f64>) -> Upload;

    #[wasm_bindgen(method)]
    pub(crate) fn write(this: &Upload, chunk: js_sys::Uint8Array);

    #[wasm_bindgen(method)]
    pub(crate) fn finish(this: &Upload);

    #[wasm_bindgen(method)]
    pub(crate) fn abort(this: &Upload);

    /// Fires when the client of a request goes away; returns whether it has gone.
    pub(crate) fn disconnected(signal: &AbortSignal, id: u32) -> bool;

    /// Returns a handle for [`wake`].
    pub(crate) fn sleep(id: u32, milliseconds: i32) -> JsValue;

    pub(crate) fn wake(handle: &JsValue);

    /// Milliseconds.
    pub(crate) fn now() -> f64;

    /// Makes a response with names and values of headers in turn, each with a line feed behind it. A stream is given the
    /// length that it will have, if that is known.
    #[wasm_bindgen(catch)]
    pub(crate) fn respond(
        status: u16,
        head: &str,
        body: &JsValue,
        length: Option<f64>,
    ) -> Result<Response, JsValue>;

    /// Returns the name of what was thrown and, in the next line, its message.
    pub(crate) fn describe(error: &JsValue) -> String;
}

/// A length as JavaScript has it.
#[expect(
    clippy::cast_precision_loss,
    reason = "JavaScript has no other number, and this one is exact up to 8 PiB"
)]
pub(crate) const fn number(length: u64) -> f64 {
    length as f64
}

/// What JavaScript has to say.
#[derive(Debug)]
pub(crate) enum Event {
    /// The head of a response.
    Answered(Answer),
    Chunk(Vec<u8>),
    Ended,
    /// The name of an error and, in the next line, its message.
    Failed(String),
    /// A timer, or a write.
    Fired,
}

/// The head of a response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Where it comes from, if that is not where the request went; and then names and values of headers in turn, each after
    /// a line feed.
    pub(crate) head: String,
    pub(crate) has_body: bool,
}

/// Where an answer of JavaScript is waited for.
#[derive(Debug)]
pub(crate) struct Slot {
    id: u32,
    shared: Rc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    event: RefCell<Option<Event>>,
    waker: RefCell<Option<Waker>>,
}

/// Who waits, by number.
#[derive(Default)]
struct Waiting {
    next: Cell<u32>,
    /// In the order of the numbers, and so mostly in that of their opening. There are as many as promises and timers that are
    /// waited for: hundreds, of which the youngest are asked for most.
    slots: RefCell<Vec<(u32, Rc<Shared>)>>,
}

thread_local! {
    static WAITING: Waiting = Waiting::connected();
}

impl Waiting {
    fn connected() -> Self {
        let answered = |id, status, head, has_body| {
            let answer = Answer {
                status,
                head,
                has_body,
            };
            tell(id, Event::Answered(answer));
        };
        connect(
            &function(Closure::<dyn Fn(u32, u16, String, bool)>::new(answered)),
            &function(Closure::<dyn Fn(u32, Vec<u8>)>::new(|id, chunk| {
                tell(id, Event::Chunk(chunk))
            })),
            &function(Closure::<dyn Fn(u32)>::new(|id| tell(id, Event::Ended))),
            &function(Closure::<dyn Fn(u32, String)>::new(|id, error| {
                tell(id, Event::Failed(error))
            })),
            &function(Closure::<dyn Fn(u32)>::new(|id| tell(id, Event::Fired))),
        );
        Self::default()
    }
}

/// Hands a closure over to JavaScript for good.
fn function<F: ?Sized + wasm_bindgen::closure::WasmClosure>(closure: Closure<F>) -> Function {
    closure.into_js_value().unchecked_into()
}

/// Puts an event where it is waited for. Nobody may wait any more; and nothing is borrowed when the waker runs.
fn tell(id: u32, event: Event) {
    let waiting = WAITING.with(|waiting| {
        let slots = waiting.slots.borrow();
        let place = place_of(&slots, id).ok()?;
        Some(Rc::clone(&slots[place].1))
    });
    if let Some(shared) = waiting {
        *shared.event.borrow_mut() = Some(event);
        let waker = shared.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

fn place_of(slots: &[(u32, Rc<Shared>)], id: u32) -> Result<usize, usize> {
    slots.binary_search_by_key(&id, |(id, _)| *id)
}

impl Slot {
    /// Opens a slot under a number of its own.
    pub(crate) fn open() -> Self {
        WAITING.with(|waiting| {
            let mut slots = waiting.slots.borrow_mut();
            let mut id = waiting.next.get();
            // After four billion it starts again, and passes over what is still waited for.
            let place = loop {
                match place_of(&slots, id) {
                    Ok(_) => id = id.wrapping_add(1),
                    Err(place) => break place,
                }
            };
            waiting.next.set(id.wrapping_add(1));
            let shared = Rc::<Shared>::default();
            slots.insert(place, (id, Rc::clone(&shared)));
            Self { id, shared }
        })
    }

    pub(crate) const fn id(&self) -> u32 {
        self.id
    }

    /// Takes what has come, or has the latest waker called when it comes.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Event> {
        if let Some(event) = self.shared.event.borrow_mut().take() {
            return Poll::Ready(event);
        }
        let mut waker = self.shared.waker.borrow_mut();
        match &mut *waker {
            Some(waker) => waker.clone_from(cx.waker()),
            waker => *waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // Not while the thread's own values are dropped.
        let _ = WAITING.try_with(|waiting| {
            let mut slots = waiting.slots.borrow_mut();
            if let Ok(place) = place_of(&slots, self.id) {
                slots.remove(place);
            }
        });
    }
}
