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
//! # Types
//!
//! An `i64` survives, and so do the bytes of a blob and every character of a text. What a database cannot hand over as
//! it is, it refuses with an error that names the column; nothing is rounded in silence.
//!
//! Name what is computed: `count(*) AS repos`. Without `AS` the name of such a column is the database's own affair.
//!
//! # Errors
//!
//! A [`SqlError`] is plain data with a [kind](SqlErrorKind) to match on. It has the database's message, without the
//! values that were bound.

mod database;
mod decode;
mod error;
mod row;
mod statement;
mod tokens;
mod value;

pub use self::{
    database::{Changes, Database, DatabaseExt, Outcome},
    error::{SqlError, SqlErrorKind},
    row::Row,
    statement::Statement,
    tokens::{Token, TokenKind, Tokens},
    value::Value,
};
