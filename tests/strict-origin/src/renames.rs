//! Repositories that have another name today: the old one leads to them by their number.

use std::collections::HashMap;

use crate::hash::{fnv1a, mix};

/// What today's name has behind the old one.
const TODAY: &str = "-renamed";

/// Decides which repositories were renamed, by a pure function of their names.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Renames {
    share: f64,
}

impl Renames {
    pub(crate) const fn new(share: f64) -> Self {
        Self { share }
    }

    /// Returns today's name of a repository, if it is another one.
    pub(crate) fn today(self, owner: &str, name: &str) -> Option<String> {
        // Nothing is renamed twice.
        if self.share <= 0.0 || name.ends_with(TODAY) {
            return None;
        }
        let full_name = format!("{owner}/{name}").to_ascii_lowercase();
        let mut rng = fastrand::Rng::with_seed(mix(fnv1a(full_name.as_bytes())));
        (rng.f64() < self.share).then(|| format!("{name}{TODAY}"))
    }

    /// Returns the old name of a repository that has this one today.
    pub(crate) fn before<'a>(self, owner: &str, name: &'a str) -> Option<&'a str> {
        let before = name.strip_suffix(TODAY)?;
        self.today(owner, before).map(|_| before)
    }
}

/// The numbers that old names led to, with owner and old name.
#[derive(Debug, Default)]
pub(crate) struct Numbers(HashMap<u64, (String, String)>);

impl Numbers {
    pub(crate) fn tell(&mut self, number: u64, owner: &str, name: &str) {
        let names = || (owner.to_owned(), name.to_owned());
        self.0.entry(number).or_insert_with(names);
    }

    pub(crate) fn find(&self, number: &str) -> Option<(String, String)> {
        self.0.get(&number.parse().ok()?).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_all_names_is_renamed_and_always_the_same() {
        let count = |share| {
            let renames = Renames::new(share);
            let names = (0..2_000).map(|n| format!("name-{n}"));
            names
                .filter(|name| renames.today("owner", name).is_some())
                .count()
        };
        assert_eq!((count(0.0), count(f64::NAN), count(1.0)), (0, 0, 2_000));
        let tenth = count(0.1);
        assert!((150..=250).contains(&tenth), "{tenth}");
        assert_eq!(count(0.1), tenth);
    }

    #[test]
    fn a_new_name_leads_back_and_is_final() {
        let renames = Renames::new(1.0);
        assert_eq!(renames.today("a", "b").as_deref(), Some("b-renamed"));
        assert_eq!(renames.today("a", "b-renamed"), None);
        assert_eq!(renames.before("a", "b-renamed"), Some("b"));
        assert_eq!(renames.before("a", "b"), None);
        assert_eq!(Renames::default().before("a", "b-renamed"), None);
    }
}
