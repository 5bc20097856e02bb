//! Many rows in few statements.

mod duplicates;
mod error;
mod fraction;
mod json;
mod kinds;
mod plan;
mod rows;
mod send;
mod sql;

pub use self::{
    error::{BulkError, Written},
    rows::IntoRow,
};

pub(crate) use self::{
    plan::Plan,
    rows::Rows,
    send::write,
    sql::{Operation, Shape},
};
