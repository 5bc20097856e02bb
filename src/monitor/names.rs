//! Which operations there are: as many as the program names, and not as many as somebody outside can make up.

use super::{series::Series, units::truncated};
use std::sync::Arc;

/// The operation that all runs belong to for whose names there is no room.
pub const OTHER: &str = "other";

/// How many bytes of a name, of an operation or a checkpoint, are kept.
pub const MAX_NAME: usize = 64;

/// How many operations can be set up, beside those that are met.
const MAX_DECLARED: usize = 1024;

#[derive(Debug)]
pub(super) struct Names {
    /// In the order of their names. A map would be more code than that, and there are never many.
    series: Vec<Arc<Series>>,
    other: Arc<Series>,
    /// How many were met and may be.
    met: usize,
    max_met: usize,
}

impl Names {
    pub(super) fn new(max_met: usize) -> Self {
        Self {
            series: Vec::new(),
            other: Arc::new(Series::new(OTHER)),
            met: 0,
            max_met,
        }
    }

    pub(super) const fn set_max(&mut self, max_met: usize) {
        self.max_met = max_met;
    }

    /// Returns the operation if it is known.
    pub(super) fn get(&self, name: &str) -> Option<Arc<Series>> {
        match truncated(name, MAX_NAME) {
            // A label without a value is no label to Prometheus.
            "" | OTHER => Some(Arc::clone(&self.other)),
            name => Some(Arc::clone(&self.series[self.find(name).ok()?])),
        }
    }

    /// Returns the operation, which is a new one if there is room, and `other` if there is none.
    ///
    /// `declared` are those that the program sets up, which what it meets later leaves room for.
    pub(super) fn get_or_insert(&mut self, name: &str, declared: bool) -> Arc<Series> {
        if let Some(series) = self.get(name) {
            return series;
        }
        let room = match declared {
            true => self.series.len() - self.met < MAX_DECLARED,
            false => self.met < self.max_met,
        };
        if !room {
            return Arc::clone(&self.other);
        }
        self.met += usize::from(!declared);
        let name = truncated(name, MAX_NAME);
        let series = Arc::new(Series::new(name));
        if let Err(place) = self.find(name) {
            self.series.insert(place, Arc::clone(&series));
        }
        series
    }

    /// Returns where it is, or would be.
    fn find(&self, name: &str) -> Result<usize, usize> {
        self.series
            .binary_search_by(|series| series.name().cmp(name))
    }

    /// Returns all of them, by name, and `other` last.
    pub(super) fn all(&self) -> Vec<Arc<Series>> {
        let series = self.series.iter().chain([&self.other]);
        series.map(Arc::clone).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn what_is_met_is_bounded_and_what_is_set_up_has_room_apart() {
        let mut names = Names::new(2);
        for name in ["a", "b", "c", "d", "a"] {
            names.get_or_insert(name, false);
        }
        assert_eq!(names.get_or_insert("c", false).name(), OTHER);
        assert_eq!(names.get_or_insert("b", false).name(), "b");
        assert_eq!(names.get_or_insert("z", true).name(), "z");
        let all: Vec<_> = names
            .all()
            .iter()
            .map(|series| series.name().to_owned())
            .collect();
        assert_eq!(all, ["a", "b", "z", OTHER]);
        for number in 0..2 * MAX_DECLARED {
            names.get_or_insert(&number.to_string(), true);
        }
        assert_eq!(names.all().len(), 2 + MAX_DECLARED + 1);
    }

    #[test]
    fn long_names_are_cut_at_a_character_and_empty_ones_are_other() {
        let mut names = Names::new(8);
        let long = "é".repeat(MAX_NAME);
        let series = names.get_or_insert(&long, false);
        assert_eq!(series.name(), "é".repeat(MAX_NAME / 2));
        assert!(Arc::ptr_eq(&series, &names.get_or_insert(&long, false)));
        assert_eq!(names.get_or_insert("", true).name(), OTHER);
        assert_eq!(names.get_or_insert(OTHER, true).name(), OTHER);
    }
}
