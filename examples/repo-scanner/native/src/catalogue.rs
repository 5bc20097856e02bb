//! The repositories that ship with the program.

/// A table of real repositories: name, crate, version, licence, topics, description.
pub(crate) const CATALOGUE: &str = include_str!("../../data/repositories.tsv");
