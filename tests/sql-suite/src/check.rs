//! Checks that say what they found.

use std::fmt::Display;

/// What was found that should not be.
#[derive(Debug)]
pub(crate) struct Wrong(pub(crate) String);

/// What a case comes to.
pub(crate) type Checked = Result<(), Wrong>;

impl<E: Display> From<E> for Wrong {
    fn from(error: E) -> Self {
        Self(format!("an error that should not be: {error}"))
    }
}

/// Checks that two values are the same.
macro_rules! same {
    ($found:expr, $expected:expr $(, $($what:tt)+)?) => {{
        let (found, expected) = (&$found, &$expected);
        if *found != *expected {
            let what = String::new() $(+ &format!($($what)+))?;
            return Err($crate::check::Wrong(format!(
                "line {}: {what}\n found: {found:?}\n expected: {expected:?}", line!()
            )));
        }
    }};
}

/// Checks that something holds.
macro_rules! holds {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err($crate::check::Wrong(format!("line {}: {}", line!(), format!($($what)+))));
        }
    };
}
