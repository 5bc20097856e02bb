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
        self.push(Vec::new(), value);
        self
    }

    /// Adds a value with these labels; of what is not known, none.
    pub(super) fn push(
        &mut self,
        labels: impl Into<Vec<Label<'a>>>,
        value: impl Into<Option<f64>>,
    ) {
        self.push_suffixed("", labels, value);
    }

    pub(super) fn push_suffixed(
        &mut self,
        suffix: &'static str,
        labels: impl Into<Vec<Label<'a>>>,
        value: impl Into<Option<f64>>,
    ) {
        self.push_value(suffix, labels.into(), value.into());
    }

    /// Adds a value with one label that is borrowed, as most are.
    #[inline(never)]
    pub(super) fn push_of(&mut self, label: &'static str, value: &'a str, of: Option<f64>) {
        self.push_value("", vec![(label, value.into())], of);
    }

    /// One for all numbers of labels, and not for the compiler to put where it is called, which is in many places.
    #[inline(never)]
    fn push_value(&mut self, suffix: &'static str, labels: Vec<Label<'a>>, value: Option<f64>) {
        if let Some(value) = value {
            self.values.push(Value {
                suffix,
                labels,
                value,
            });
        }
    }
}
