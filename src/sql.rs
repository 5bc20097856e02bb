//! SQL in one form for every database: SQLite here, D1 in a Worker.
//!
//! A [`Statement`] is SQL and the values for its placeholders, `?` or `?1`. A [`Database`] runs one, or several as one
//! transaction. What comes back is a [`Row`], or with [`DatabaseExt`] any type that serde can read.
//!
//! ```
//! use serde::Deserialize;
//! use tower_egress::sql::{Database, DatabaseExt, SqlError, Statement};
//!
//! #[derive(Deserialize)]
//! struct Repo {
//!     name: String,
//!     stars: i64,
//! }
//!
//! async fn rename(database: &impl Database, id: i64, name: &str) -> Result<Option<Repo>, SqlError> {
//!     let rename = Statement::new("UPDATE repos SET name = ? WHERE id = ?").bind(name).bind(id);
//!     let log = Statement::new("INSERT INTO renamed (id, name) VALUES (?1, ?2)").bind(id).bind(name);
//!     database.batch(vec![rename, log]).await?;
//!     let read = Statement::new("SELECT name, stars FROM repos WHERE id = ?").bind(id);
//!     database.first_as(read).await
//! }
//! # fn main() {}
//! ```
//!
//! # Many rows, transactions, migrations
//!
//! - [`Table`] writes, and reads by keys, any number of rows in few statements, inside the database's [`Limits`].
//! - [`Transaction`] collects statements, and guards that undo all of it where an expectation does not hold.
//! - [`Migrations`] applies files of SQL once, in order.
//!
//! All of it is the same on SQLite and on D1. SQLite itself is behind the feature `sqlite`, natively only:
//! `sql::sqlite`.
//!
//! # Types
//!
//! An `i64` survives, and so do the bytes of a blob and every character of a text. What a database cannot hand over as
//! it is, it refuses with an error that names the column; nothing is rounded in silence. JSON is a text:
//! [`Value::json`] writes it and [`Json`] reads it.
//!
//! Name what is computed: `count(*) AS repos`. Without `AS` the name of such a column is the database's own affair.
//!
//! # Errors
//!
//! A [`SqlError`] is plain data with a [kind](SqlErrorKind) to match on. It has the database's message, without the
//! values that were bound.

mod bulk;
mod database;
mod decode;
mod error;
mod json;
mod limits;
mod migrations;
mod real;
mod row;
mod script;
#[cfg(all(feature = "sqlite", not(target_arch = "wasm32")))]
pub mod sqlite;
mod statement;
mod table;
mod tokens;
mod transaction;
mod value;

pub use self::{
    bulk::{BulkError, IntoRow, Written},
    database::{Changes, Database, DatabaseExt, Outcome},
    error::{Fate, SqlError, SqlErrorKind},
    json::Json,
    limits::{Limits, Packing},
    migrations::{Applied, MigrationError, Migrations},
    row::Row,
    script::Script,
    statement::Statement,
    table::Table,
    tokens::{Token, TokenKind, Tokens},
    transaction::{Transaction, TransactionError},
    value::Value,
};
