//! The layer.

use crate::{Recorder, Timing, Unlabelled};
use tower_layer::Layer;

/// Measures every request and records it; the outermost layer of a stack.
///
/// Services made by one layer, or by its clones, record into the same [`Recorder`].
///
/// # Defaults
///
/// - label: none, all requests are counted together
#[derive(Clone, Debug)]
pub struct TimingLayer<T, L = Unlabelled> {
    timer: T,
    recorder: Recorder,
    label: L,
}

impl<T> TimingLayer<T> {
    /// Makes a layer with the defaults.
    pub const fn new(timer: T, recorder: Recorder) -> Self {
        Self {
            timer,
            recorder,
            label: Unlabelled,
        }
    }
}

impl<T, L> TimingLayer<T, L> {
    /// Sets what tells the label of a request; see [`Label`](crate::Label).
    pub fn with_label<M>(self, label: M) -> TimingLayer<T, M> {
        TimingLayer {
            timer: self.timer,
            recorder: self.recorder,
            label,
        }
    }

    /// Returns the recorder.
    pub const fn recorder(&self) -> &Recorder {
        &self.recorder
    }
}

impl<S, T: Clone, L: Clone> Layer<S> for TimingLayer<T, L> {
    type Service = Timing<S, T, L>;

    fn layer(&self, inner: S) -> Timing<S, T, L> {
        Timing::labelled(
            inner,
            self.timer.clone(),
            self.recorder.clone(),
            self.label.clone(),
        )
    }
}
