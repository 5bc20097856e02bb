//! What there is to tell of flags.

use super::ArmStatus;
use serde::Serialize;
use std::collections::BTreeMap;

/// A report of all flags.
///
/// ```
/// use tower_egress::flags::Flags;
///
/// let flags = Flags::builder().flag("newSearch", false).build();
/// flags.apply_json("nonsense").unwrap_err();
/// let json = serde_json::to_value(flags.status()).unwrap();
/// assert_eq!(json["newSearch"]["percent"], 0.0);
/// assert_eq!(json["$refused"], "it is wrong at line 1, column 2");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FlagsStatus {
    /// Each flag by name.
    #[serde(flatten)]
    pub flags: BTreeMap<String, FlagStatus>,
    /// Why the last configuration was refused, if it was; what holds is the last good one.
    #[serde(rename = "$refused", skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A report of one flag.
///
/// ```
/// use tower_egress::flags::{Flags, Rule};
///
/// let flags = Flags::builder().flag("newSearch", Rule::off().on_for("me")).build();
/// let status = &flags.status().flags["newSearch"];
/// assert_eq!((status.percent, status.named_on, status.is_default), (0.0, 1, true));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FlagStatus {
    /// For how many in a hundred it is on.
    pub percent: f64,
    /// For how many keys it is on by name.
    pub named_on: usize,
    /// For how many keys it is off by name.
    pub named_off: usize,
    /// Whether this is what it was declared as.
    pub is_default: bool,
    /// Whether one group does worse than the other.
    pub is_worse: bool,
    /// How those fare for whom it is on.
    pub on: ArmStatus,
    /// How the rest fare.
    pub off: ArmStatus,
}
