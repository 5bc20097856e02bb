//! Reads rows and values into serde's types.

mod cell;
mod error;
mod whole;

pub(crate) use self::{cell::Cell, error::Error, whole::Whole};

#[cfg(test)]
mod tests;
