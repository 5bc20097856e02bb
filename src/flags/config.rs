//! Rules from outside.

use super::{InvalidPercent, Rule};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Unexpected, Visitor},
};
use std::fmt;

/// Rules for flags by name, as they come from outside.
///
/// ```
/// use tower_egress::flags::Config;
///
/// // A file, and variables over it.
/// let file = Config::from_json(r#"{"newSearch": 10, "retries": true}"#)?;
/// let variables = [("APP_NEW_SEARCH".to_owned(), "off".to_owned())];
/// let config = file.with_all(Config::from_env("APP_", variables)?);
/// assert_eq!(config, Config::default().with("newsearch", false).with("retries", true));
/// # Ok::<_, tower_egress::flags::InvalidConfig>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config(pub(super) Rules);

/// Rules in the order of their names. A map would be more code than that, and of flags there are few.
pub(super) type Rules = Vec<(Box<str>, Rule)>;

/// Adds a rule, or sets it in the place of the one that the name has, which is returned.
pub(super) fn put(rules: &mut Rules, name: Box<str>, rule: Rule) -> Option<Rule> {
    match rules.binary_search_by(|(other, _)| other.cmp(&name)) {
        Ok(place) => Some(std::mem::replace(&mut rules[place].1, rule)),
        Err(place) => {
            rules.insert(place, (name, rule));
            None
        }
    }
}

/// A configuration of flags is wrong. It says what, and where.
///
/// ```
/// use tower_egress::flags::Config;
///
/// let error = Config::from_json(r#"{"retries": "sometimes"}"#).unwrap_err();
/// assert!(error.to_string().contains("true, false, a share in per cent, or an object"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidConfig {
    message: Box<str>,
    /// Of a text, and not what stands there.
    place: Option<(usize, usize)>,
}

impl InvalidConfig {
    pub(super) fn new(message: impl Into<Box<str>>) -> Self {
        Self {
            message: message.into(),
            place: None,
        }
    }

    fn of_json(error: &serde_json::Error) -> Self {
        Self {
            message: error.to_string().into(),
            place: Some((error.line(), error.column())),
        }
    }

    /// Says it to whoever asks: without what stands in the text, which may be anything, a password for a file's name.
    pub(super) fn in_public(&self) -> String {
        match self.place {
            Some((line, column)) => format!("it is wrong at line {line}, column {column}"),
            None => self.message.to_string(),
        }
    }
}

impl From<InvalidPercent> for InvalidConfig {
    fn from(error: InvalidPercent) -> Self {
        Self::new(error.to_string())
    }
}

impl Config {
    /// Reads an object with a rule for each flag: `true`, `false`, a share in per cent, or an object of `percent` – for whom
    /// that is on who is not named – and of `on` and `off`, which name keys.
    ///
    /// ```
    /// # use tower_egress::flags::Config;
    /// Config::from_json(r#"{"retries": false, "newSearch": 12.5, "streaming": {"percent": 0, "on": ["me"]}}"#)?;
    /// # Ok::<_, tower_egress::flags::InvalidConfig>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If it is something else, names a flag twice, a key as both on and off, or a share that is not between 0 and 100.
    pub fn from_json(text: &str) -> Result<Self, InvalidConfig> {
        serde_json::from_slice(text.as_bytes()).map_err(|error| InvalidConfig::of_json(&error))
    }

    /// Reads rules from variables whose names begin with `prefix`: `on`, `off`, `true`, `false`, or a share as `25%`; after that
    /// keys by name, `+key` for whom it is on and `-key` for whom it is off: `25% +tower-rs/tower -acme`.
    ///
    /// After the prefix comes the name of the flag, of which case and underscores do not count: `EGRESS_FLAG_NEW_SEARCH` is for
    /// `newSearch`. Between the keys is white space; one that has some in it is for [JSON](Self::from_json) only.
    ///
    /// ```
    /// use tower_egress::flags::{Config, Rule};
    ///
    /// // Natively those of `std::env::vars_os()` that are text: `std::env::vars()` panics if one is not.
    /// let variables = [("EGRESS_FLAG_NEW_SEARCH".to_owned(), "off +tower-rs/tower".to_owned())];
    /// let config = Config::from_env("EGRESS_FLAG_", variables)?;
    /// assert_eq!(config, Config::default().with("newsearch", Rule::off().on_for("tower-rs/tower")));
    /// # Ok::<_, tower_egress::flags::InvalidConfig>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If one of these says something else, names a key as both on and off, or two name the same flag.
    pub fn from_env(
        prefix: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, InvalidConfig> {
        let mut rules = Rules::new();
        for (variable, value) in variables {
            let Some(name) = variable.strip_prefix(prefix) else {
                continue;
            };
            let of = short(&variable);
            let rule = from_words(&value).map_err(|error| {
                InvalidConfig::new(format!("the variable {of} is wrong: {error}"))
            })?;
            if put(&mut rules, plain(name).into_boxed_str(), rule).is_some() {
                let message = format!("the variable {of} names a flag that another one names, too");
                return Err(InvalidConfig::new(message));
            }
        }
        Ok(Self(rules))
    }

    /// Sets one rule.
    #[must_use]
    pub fn with(mut self, flag: impl Into<Box<str>>, rule: impl Into<Rule>) -> Self {
        put(&mut self.0, flag.into(), rule.into());
        self
    }

    /// Takes the rules of another one over these, where there are any.
    #[must_use]
    pub fn with_all(mut self, other: Self) -> Self {
        self.0
            .retain(|(name, _)| !other.0.iter().any(|(over, _)| is_same(over, name)));
        for (name, rule) in other.0 {
            put(&mut self.0, name, rule);
        }
        self
    }
}

/// A name without what variables do not tell apart.
pub(super) fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_ascii_alphanumeric() || !c.is_ascii())
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// A flag can be spelt in two ways: as it is, and as a variable has it.
fn is_same(one: &str, other: &str) -> bool {
    let (plain_one, plain_other) = (plain(one), plain(other));
    let as_variables = one == plain_one || other == plain_other;
    one == other || (as_variables && !plain_one.is_empty() && plain_one == plain_other)
}

/// As much of a name as belongs into a message, wherever the name is from.
pub(super) fn short(name: &str) -> &str {
    &name[..name.floor_char_boundary(64)]
}

fn from_words(words: &str) -> Result<Rule, InvalidConfig> {
    let names_key = |word: &&str| word.starts_with(['+', '-']);
    let words: Vec<_> = words.split_whitespace().collect();
    let keys = words.iter().position(names_key).unwrap_or(words.len());
    let (share, keys) = words.split_at(keys);
    let mut rule = from_word(&share.concat())?;
    let (mut on, mut off) = (Vec::new(), Vec::new());
    for word in keys {
        let (is_on, key) = match (word.strip_prefix('+'), word.strip_prefix('-')) {
            (Some(key), _) if !key.is_empty() => (true, key),
            (_, Some(key)) if !key.is_empty() => (false, key),
            _ => return Err(InvalidConfig::new("a key is +key or -key, after the share")),
        };
        match is_on {
            true => on.push(key),
            false => off.push(key),
        }
    }
    match rule.name_keys(on, off) {
        // Which one, it does not say: what it says may come to be public.
        Err(_) => Err(InvalidConfig::new("a key is both on and off")),
        Ok(()) => Ok(rule),
    }
}

fn from_word(word: &str) -> Result<Rule, InvalidConfig> {
    match word.to_ascii_lowercase().as_str() {
        "on" | "true" => return Ok(Rule::on()),
        "off" | "false" => return Ok(Rule::off()),
        _ => {}
    }
    let percent = word
        .strip_suffix('%')
        .and_then(|share| share.trim_end().parse().ok());
    match percent {
        Some(percent) => Ok(Rule::share(percent)?),
        None => Err(InvalidConfig::new(
            "it takes on, off, or a share as 25%, and then +key or -key",
        )),
    }
}

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rules;

        impl<'de> Visitor<'de> for Rules {
            type Value = Config;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a rule for each flag")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Config, A::Error> {
                let mut rules = Vec::new();
                while let Some(name) = map.next_key::<Box<str>>()? {
                    let rule = map.next_value()?;
                    let message = format!("the flag {name:?} is there twice");
                    if put(&mut rules, name, rule).is_some() {
                        return Err(A::Error::custom(message));
                    }
                }
                Ok(Config(rules))
            }
        }

        deserializer.deserialize_map(Rules)
    }
}

/// A rule as an object.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Long {
    // No default: whoever names a few keys would switch it for all others.
    percent: f64,
    #[serde(default)]
    on: Vec<Box<str>>,
    #[serde(default)]
    off: Vec<Box<str>>,
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Rule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, a share in per cent, or an object")
            }

            fn visit_bool<E>(self, on: bool) -> Result<Rule, E> {
                Ok(on.into())
            }

            fn visit_f64<E: serde::de::Error>(self, percent: f64) -> Result<Rule, E> {
                Rule::share(percent).map_err(E::custom)
            }

            fn visit_u64<E: serde::de::Error>(self, percent: u64) -> Result<Rule, E> {
                match u8::try_from(percent) {
                    Ok(percent) => self.visit_f64(percent.into()),
                    Err(_) => Err(E::invalid_value(Unexpected::Unsigned(percent), &"0 to 100")),
                }
            }

            fn visit_i64<E: serde::de::Error>(self, percent: i64) -> Result<Rule, E> {
                Err(E::invalid_value(Unexpected::Signed(percent), &"0 to 100"))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Rule, A::Error> {
                let long = Long::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                let mut rule = Rule::share(long.percent).map_err(A::Error::custom)?;
                match rule.name_keys(long.on, long.off) {
                    Ok(()) => Ok(rule),
                    Err(key) => {
                        let message = format!("the key {key:?} is both on and off");
                        Err(A::Error::custom(message))
                    }
                }
            }
        }

        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn rule(text: &str) -> Result<Rule, String> {
        let config = Config::from_json(&format!("{{\"a\": {text}}}"));
        let mut config = config.map_err(|error| error.to_string())?;
        Ok(config.0.remove(0).1)
    }

    #[test]
    fn a_rule_is_said_in_few_words_or_many() {
        let share = |percent| Rule::share(percent).unwrap();
        for (text, expected) in [
            ("true", Rule::on()),
            ("false", Rule::off()),
            ("0", Rule::off()),
            ("100", Rule::on()),
            ("12.5", share(12.5)),
            ("{\"percent\": 5}", share(5.0)),
            (
                "{\"on\": [\"x\"], \"percent\": 1e1, \"off\": [\"y\", \"z\"]}",
                share(10.0).on_for("x").off_for("y").off_for("z"),
            ),
        ] {
            assert_eq!(rule(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            ("101", "100"),
            ("-1", "-1"),
            ("1e9", "1000000000"),
            ("4294967296", "4294967296"),
            ("\"on\"", "true, false, a share"),
            ("null", "true, false, a share"),
            ("{\"percents\": 5}", "percents"),
            ("{}", "percent"),
            ("{\"off\": [\"x\"]}", "percent"),
            ("{\"percent\": null}", "null"),
            ("{\"percent\": 500}", "500"),
            (
                "{\"percent\": 1, \"on\": [\"x\"], \"off\": [\"x\"]}",
                "\"x\" is both on and off",
            ),
            ("[1]", "true, false, a share"),
            ("nope", "line 1"),
            ("1, \"a\": 2", "\"a\" is there twice"),
        ] {
            let error = rule(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!(
            Config::from_json("[]")
                .unwrap_err()
                .to_string()
                .contains("an object")
        );
    }

    fn env(variables: &[(&str, &str)]) -> Result<Config, InvalidConfig> {
        let variables = variables
            .iter()
            .map(|&(name, value)| (name.into(), value.into()));
        Config::from_env("EGRESS_", variables)
    }

    #[test]
    fn variables_say_it_too() {
        let config = env(&[
            ("EGRESS_NEW_SEARCH", "12.5%"),
            ("EGRESS_RETRIES", " Off "),
            ("EGRESS_all", "100 %"),
            (
                "EGRESS_KEYS",
                " 25 % +tower-rs/tower\t-a=b,c  +-x +tower-rs/tower",
            ),
            ("EGRESS_ON", "ON -me"),
            ("OTHER", "what"),
        ]);
        let keys = Rule::share(25.0).unwrap().on_for("tower-rs/tower");
        let expected = Config::default()
            .with("keys", keys.on_for("-x").off_for("a=b,c"))
            .with("on", Rule::on().off_for("me"))
            .with("newsearch", Rule::share(12.5).unwrap())
            .with("retries", false)
            .with("all", true);
        assert_eq!(config, Ok(expected));
        for (value, expected) in [
            ("25", "25%"),
            ("", "25%"),
            ("101%", "101"),
            ("-1%", "25%"),
            ("x%", "25%"),
            ("nan%", "NaN"),
            ("1e308%", "not between"),
            ("+me", "25%"),
            ("on me", "25%"),
            ("on +", "+key"),
            ("on -a - -b", "+key"),
            ("on +a b", "+key"),
            ("on +a -a", "both on and off"),
        ] {
            let error = env(&[("EGRESS_A", value)]).unwrap_err().to_string();
            assert!(
                error.contains("EGRESS_A") && error.contains(expected),
                "{error}"
            );
        }
        assert!(env(&[("EGRESS_A_B", "on"), ("EGRESS_AB", "on")]).is_err());
    }

    #[test]
    fn one_config_goes_over_another_however_it_is_spelt() {
        let file = Config::default()
            .with("newSearch", true)
            .with("retries", true);
        let over = env(&[("EGRESS_NEW_SEARCH", "off")]).unwrap();
        let both = file.with_all(over);
        assert_eq!(
            both,
            Config::default()
                .with("newsearch", false)
                .with("retries", true)
        );
    }
}
