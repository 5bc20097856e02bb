//! Which repositories somebody wants to see, and in which order.

use std::{fmt, str::FromStr};
use tower_egress::sql::{Statement, Value};

use super::Stored;

/// What repositories are ordered by; those that are equal, by their name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// `name`
    #[default]
    Name,
    /// `stars`
    Stars,
    /// `forks`
    Forks,
    /// `scannedAt`
    ScannedAt,
}

/// In which direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// `asc`: the least first.
    #[default]
    Ascending,
    /// `desc`: the most first.
    Descending,
}

/// A place between two repositories of a list, by the one before it. It stays where it is when others come and go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// What it is ordered by, and its figure; none where that is the name.
    value: Option<(Sort, i64)>,
    name: String,
}

/// Which repositories, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Query {
    /// Those with this main language only.
    pub language: Option<String>,
    /// Those with this text in their name or description, whatever the case of its ASCII letters.
    pub text: Option<String>,
    /// What they are ordered by.
    pub sort: Sort,
    /// In which direction.
    pub order: Order,
    /// Those behind this place only.
    pub after: Option<Cursor>,
}

impl Sort {
    /// What it is called in a query, if it is one.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let all = [Self::Name, Self::Stars, Self::Forks, Self::ScannedAt];
        all.into_iter().find(|sort| sort.as_str() == name)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::ScannedAt => "scannedAt",
            other => other.column(),
        }
    }

    const fn column(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Stars => "stars",
            Self::Forks => "forks",
            Self::ScannedAt => "scanned_at",
        }
    }
}

impl Query {
    /// Returns the place behind a repository in the order of this query.
    pub fn cursor(&self, after: &Stored) -> Cursor {
        Cursor {
            value: match self.sort {
                Sort::Name => None,
                Sort::Stars => Some((self.sort, after.stars)),
                Sort::Forks => Some((self.sort, after.forks)),
                Sort::ScannedAt => Some((self.sort, after.scanned_at)),
            },
            name: after.name.clone(),
        }
    }

    /// Tells whether a place is one in the order of this query.
    pub fn has(&self, cursor: &Cursor) -> bool {
        let sort = cursor.value.map_or(Sort::Name, |(sort, _)| sort);
        sort == self.sort
    }

    pub(super) fn statement(&self, columns: &[&str], at_most: u32) -> Statement {
        let columns = columns.join(", ");
        let mut sql = format!("SELECT {columns} FROM repositories WHERE TRUE");
        let mut values: Vec<Value> = Vec::new();
        if let Some(language) = &self.language {
            sql += " AND language = ? COLLATE NOCASE";
            values.push(language.as_str().into());
        }
        if let Some(text) = &self.text {
            // Not LIKE: D1 takes 50 bytes of pattern.
            sql += " AND instr(lower(full_name || ' ' || coalesce(description, '')), lower(?)) > 0";
            values.push(text.as_str().into());
        }
        let column = self.sort.column();
        let (than, direction) = match self.order {
            Order::Ascending => (">", "ASC"),
            Order::Descending => ("<", "DESC"),
        };
        if let Some(after) = &self.after {
            match after.value {
                Some((_, value)) => {
                    sql += &format!(" AND ({column}, name) {than} (?, ?)");
                    values.push(value.into());
                }
                None => sql += &format!(" AND name {than} ?"),
            }
            values.push(after.name.as_str().into());
        }
        sql += &match self.sort {
            Sort::Name => format!(" ORDER BY name {direction} LIMIT ?"),
            _ => format!(" ORDER BY {column} {direction}, name {direction} LIMIT ?"),
        };
        values.push(at_most.into());
        Statement::new(sql).bind_all(values)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            Some((sort, value)) => write!(f, "{}~{value}~{}", sort.as_str(), self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        // No name of a repository has one.
        let (value, name) = match text.rsplit_once('~') {
            Some((place, name)) => {
                let (sort, value) = place.split_once('~').ok_or(NoCursor)?;
                let sort = Sort::named(sort).filter(|sort| *sort != Sort::Name);
                let value = value.parse().map_err(|_| NoCursor)?;
                (Some((sort.ok_or(NoCursor)?, value)), name)
            }
            None => (None, text),
        };
        match crate::RepoName::parse(name) {
            Ok(name) => Ok(Self {
                value,
                name: name.as_str().to_owned(),
            }),
            Err(_) => Err(NoCursor),
        }
    }
}

/// A text that is no place in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("that is no place in the list; take it from the link to the next page")]
pub struct NoCursor;
