//! What somebody wants to have scanned: `{"repos": ["owner/name", …]}`.
//!
//! It is read without a copy of what is not a name: eight megabytes of anything else would take hundreds.

use super::Problem;
use crate::RepoName;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::error::Category;
use std::{borrow::Cow, fmt};

const EXPECTED: &str = r#"expected {"repos": ["owner/name", …]}"#;
const EXPECTED_NAMES: &str = r#"expected ["owner/name", …]"#;
const EXPECTED_NAME: &str = "expected owner/name";

/// Reads a wish; without a list it is for the one that the program ships with.
pub(super) fn read(body: &[u8]) -> Result<Option<Vec<RepoName>>, Problem> {
    let wish: Wish = serde_json::from_slice(body).map_err(|error| match error.classify() {
        Category::Data => Problem::field("body", EXPECTED),
        _ => {
            let (line, column) = (error.line(), error.column());
            Problem::field(
                "body",
                format!("it is no JSON: line {line}, column {column}"),
            )
        }
    })?;
    if let Some(other) = wish.other {
        return Err(Problem::field(
            other,
            "there is no such member; expected repos",
        ));
    }
    match wish.repos {
        None => Ok(None),
        Some(List::Names(names)) if names.is_empty() => Err(Problem::field("repos", "it is empty")),
        Some(List::Names(names)) => Ok(Some(names)),
        Some(List::Wrong { index, why }) => {
            let field = index.map(|index| Cow::from(format!("repos[{index}]")));
            Err(Problem::field(field.unwrap_or("repos".into()), why))
        }
    }
}

#[derive(Default)]
struct Wish {
    repos: Option<List>,
    /// The first member that there is not.
    other: Option<String>,
}

enum List {
    Names(Vec<RepoName>),
    Wrong {
        index: Option<usize>,
        why: Cow<'static, str>,
    },
}

impl List {
    const NONE: Self = Self::Wrong {
        index: None,
        why: Cow::Borrowed(EXPECTED_NAMES),
    };
}

struct Name(Result<RepoName, Cow<'static, str>>);

impl Name {
    const NONE: Self = Self(Err(Cow::Borrowed(EXPECTED_NAME)));
}

impl<'de> Deserialize<'de> for Wish {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Wish;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Wish, A::Error> {
        let mut wish = Wish::default();
        while let Some(name) = members.next_key::<Cow<'_, str>>()? {
            if name != "repos" {
                let name = name.chars().take(60).collect();
                wish.other.get_or_insert(name);
                members.next_value::<IgnoredAny>()?;
            } else if wish.repos.is_none() {
                wish.repos = Some(members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
                wish.repos = Some(List::Wrong {
                    index: None,
                    why: "it is given more than once".into(),
                });
            }
        }
        Ok(wish)
    }
}

/// Takes all that is no list of names, or no name, for that.
macro_rules! nothing_else {
    ($none:expr; $($visit:ident: $type:ty),*) => {
        $(fn $visit<E>(self, _: $type) -> Result<Self::Value, E> {
            Ok($none)
        })*

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($none)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            IgnoredAny.visit_map(map).map(|_| $none)
        }
    };
}

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Names)
    }
}

struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = List;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("names")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<List, A::Error> {
        let mut names = Vec::new();
        while let Some(Name(name)) = items.next_element()? {
            match name {
                Ok(name) => names.push(name),
                Err(why) => {
                    // To its end: what is no JSON at all is told first.
                    IgnoredAny.visit_seq(items)?;
                    let index = Some(names.len());
                    return Ok(List::Wrong { index, why });
                }
            }
        }
        Ok(List::Names(names))
    }

    nothing_else!(List::NONE; visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneName)
    }
}

struct OneName;

impl<'de> Visitor<'de> for OneName {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, text: &str) -> Result<Name, E> {
        let name = RepoName::parse(text);
        Ok(Name(name.map_err(|error| error.to_string().into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Name, A::Error> {
        IgnoredAny.visit_seq(items).map(|_| Name::NONE)
    }

    nothing_else!(Name::NONE; visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64);
}
