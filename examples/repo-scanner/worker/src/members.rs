//! Objects, read by tables of their members: what serde derives is as much code again for each struct, and all of it is
//! sent to the platform at each start.

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, Unexpected, Visitor},
};
use std::{fmt, num::NonZeroUsize};
use tower_egress::flags;

/// The members that an object may have, each with where its value goes.
pub(crate) struct Members<'a> {
    pub(crate) names: &'static [&'static str],
    /// In the order of the names.
    pub(crate) places: &'a mut [Place<'a>],
}

/// Where a value goes. What is not there leaves it as it is.
pub(crate) enum Place<'a> {
    Text(&'a mut Option<String>),
    NotZero(&'a mut Option<NonZeroUsize>),
    Small(&'a mut u32),
    MaybeSmall(&'a mut Option<u32>),
    Large(&'a mut u64),
    MaybeLarge(&'a mut Option<u64>),
    Flags(&'a mut flags::Config),
    Object(Members<'a>),
    /// An object, and whether it is there.
    MaybeObject(&'a mut bool, Members<'a>),
}

impl<'de> DeserializeSeed<'de> for &mut Members<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = 0_u32;
        while let Some(name) = map.next_key::<String>()? {
            let known = self.names.iter().zip(0..).find(|known| *known.0 == name);
            let Some((name, place)) = known else {
                return Err(A::Error::unknown_field(&name, self.names));
            };
            let bit = 1 << place;
            if seen & bit != 0 {
                return Err(A::Error::duplicate_field(name));
            }
            seen |= bit;
            map.next_value_seed(&mut self.places[place])?;
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for &mut Place<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        match self {
            Place::Text(text) => **text = Deserialize::deserialize(from)?,
            Place::Flags(flags) => **flags = Deserialize::deserialize(from)?,
            Place::Object(members) => members.deserialize(from)?,
            Place::MaybeObject(is_there, members) => {
                **is_there = true;
                members.deserialize(from)?;
            }
            number => {
                let (least, what) = match number {
                    Place::NotZero(_) => (1, "a nonzero usize"),
                    Place::Small(_) | Place::MaybeSmall(_) => (0, "u32"),
                    _ => (0, "u64"),
                };
                let most = if what == "u64" {
                    u64::MAX
                } else {
                    u32::MAX.into()
                };
                if let Some(read) = from.deserialize_option(Number { least, most, what })? {
                    number.set(read);
                }
            }
        }
        Ok(())
    }
}

impl Place<'_> {
    /// Sets a number, which is in its range.
    fn set(&mut self, number: u64) {
        let small = u32::try_from(number).unwrap_or(u32::MAX);
        match self {
            Self::NotZero(place) => {
                let number = usize::try_from(number).unwrap_or(usize::MAX);
                **place = NonZeroUsize::new(number);
            }
            Self::Small(place) => **place = small,
            Self::MaybeSmall(place) => **place = Some(small),
            Self::Large(place) => **place = number,
            Self::MaybeLarge(place) => **place = Some(number),
            Self::Text(_) | Self::Flags(_) | Self::Object(_) | Self::MaybeObject(..) => {}
        }
    }
}

/// A number, of whatever type, or null for none.
struct Number {
    least: u64,
    most: u64,
    what: &'static str,
}

impl<'de> Visitor<'de> for Number {
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_none<E>(self) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, number: D) -> Result<Option<u64>, D::Error> {
        number.deserialize_u64(self)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Option<u64>, E> {
        match (self.least..=self.most).contains(&number) {
            true => Ok(Some(number)),
            false => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Option<u64>, E> {
        Err(E::invalid_value(Unexpected::Signed(number), &self))
    }
}
