//! Standard output.

use crate::failure::Failure;
use std::{fmt, io::Write};

/// Prints a line. A reader that has gone away (`| head`) is no reason to panic.
pub(crate) fn print(text: impl fmt::Display) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{text}").map_err(|error| Failure::failed("cannot print", error))
}
