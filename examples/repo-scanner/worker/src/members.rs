//! Objects, read by tables of their members: what serde derives is as much code again for each struct, and all of it is
//! sent to the platform at each start.

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, Visitor},
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
    Some(&'a mut Option<NonZeroUsize>),
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
            Place::Some(number) => **number = Deserialize::deserialize(from)?,
            Place::Small(number) => **number = Deserialize::deserialize(from)?,
            Place::MaybeSmall(number) => **number = Deserialize::deserialize(from)?,
            Place::Large(number) => **number = Deserialize::deserialize(from)?,
            Place::MaybeLarge(number) => **number = Deserialize::deserialize(from)?,
            Place::Flags(flags) => **flags = Deserialize::deserialize(from)?,
            Place::Object(members) => members.deserialize(from)?,
            Place::MaybeObject(is_there, members) => {
                **is_there = true;
                members.deserialize(from)?;
            }
        }
        Ok(())
    }
}
