//! Faults: which there are, when they happen, and what they look like on the wire.

mod kind;
mod plan;
pub(crate) mod twist;
pub(crate) mod wire;

pub(crate) use self::kind::Shape;

pub use self::{
    kind::{FaultKind, UnknownFault},
    plan::{FaultPlan, FaultPlanError},
};
