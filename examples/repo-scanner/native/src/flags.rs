//! What can be switched off while the program runs, for all or for a share.

use crate::{config::ConfigFile, failure::Failure};
use repo_scanner_core::flags;
use tower_egress::flags::{Config, Flags, InvalidConfig};

const PREFIX: &str = "REPO_SCANNER_FLAG_";

/// What the variable of a flag is called.
pub(crate) fn variable(flag: &str) -> String {
    let mut name = PREFIX.to_owned();
    for character in flag.chars() {
        if character.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(character.to_ascii_uppercase());
    }
    name
}

/// Declares the flags, and sets them as the file and the environment say.
pub(crate) fn new(of_file: &Config) -> Result<Flags, Failure> {
    let flags = flags().build();
    let set = with_environment(of_file).and_then(|config| flags.apply(&config));
    set.map_err(|error| Failure::usage(format!("flags: {error}")))?;
    Ok(flags)
}

/// Reads the file again and sets the flags. A bad one changes nothing.
pub(crate) fn reload(flags: &Flags, file: &ConfigFile) -> Result<(), Failure> {
    let config = file.read()?;
    let set = with_environment(&config.flags).and_then(|config| flags.apply(&config));
    let place = file.path().display();
    set.map_err(|error| Failure::usage(format!("{place}: flags: {error}")))
}

/// The environment wins.
fn with_environment(of_file: &Config) -> Result<Config, InvalidConfig> {
    // Names and values that are no text are of no flag.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Config::from_env(PREFIX, variables)
        .map(|of_environment| of_file.clone().with_all(of_environment))
}
