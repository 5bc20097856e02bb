//! Metrics as every exporter knows them: families of values with labels.

use std::borrow::Cow;

/// What a family's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Quantiles, with a `sum` (where it is known) and a `count`.
    Summary,
}

pub(super) type Label<'a> = (&'static str, Cow<'a, str>);

#[derive(Clone, Debug)]
pub(super) struct Family<'a> {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    pub(super) values: Vec<Value<'a>>,
}

#[derive(Clone, Debug)]
pub(super) struct Value<'a> {
    /// Added to the family's name.
    pub(super) suffix: &'static str,
    pub(super) labels: Vec<Label<'a>>,
    pub(super) value: f64,
}

impl<'a> Family<'a> {
    pub(super) const fn counter(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, Kind::Counter)
    }

    pub(super) const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, Kind::Gauge)
    }

    pub(super) const fn summary(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, Kind::Summary)
    }

    const fn new(name: &'static str, help: &'static str, kind: Kind) -> Self {
        Self {
            name,
            help,
            kind,
            values: Vec::new(),
        }
    }

    /// Adds a value without labels; of what is not known, none.
    pub(super) fn with(mut self, value: impl Into<Option<f64>>) -> Self {
        self.push([], value);
        self
    }

    /// Adds a value with these labels; of what is not known, none.
    pub(super) fn push(
        &mut self,
        labels: impl IntoIterator<Item = Label<'a>>,
        value: impl Into<Option<f64>>,
    ) {
        self.push_suffixed("", labels, value);
    }

    pub(super) fn push_suffixed(
        &mut self,
        suffix: &'static str,
        labels: impl IntoIterator<Item = Label<'a>>,
        value: impl Into<Option<f64>>,
    ) {
        if let Some(value) = value.into() {
            self.values.push(Value {
                suffix,
                labels: labels.into_iter().collect(),
                value,
            });
        }
    }
}
