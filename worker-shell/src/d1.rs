//! D1 as a [`Database`].

mod answer;
mod message;
mod request;
mod retry;

use self::{answer::Answer, request::Packed};
use crate::WorkerTimer;
use std::num::NonZeroU32;
use tower_egress::sql::{Changes, Database, Limits, Outcome, Row, SqlError, Statement};
use wasm_bindgen::prelude::*;
use worker::{D1Database, Env, wasm_bindgen_futures::JsFuture};

#[wasm_bindgen(module = "/src/d1.js")]
extern "C" {
    fn send(database: &JsValue, call: &str, packed: &str, bytes: &[u8]) -> js_sys::Promise;
}

/// D1, Cloudflare's SQLite, as a [`Database`].
///
/// It is a handle: cheap to clone, and it may be kept for later invocations. Its futures stay in theirs.
///
/// # Values
///
/// - An **integer** is stored and compared as the integer it is, any `i64`. By itself D1 binds every number as a
///   real: 1 becomes 1.0 in a column without a type, `'1.0'` in one of text, and beyond 2<sup>53</sup> another
///   number. So it is bound as text, and its placeholder becomes `(+CAST(?1 AS INTEGER))`, which makes the SQL up to
///   23 bytes longer. The `+` sees to it that it compares like a bound value, not like a column of integers. In an
///   expression it is two levels deep, of the 100 that D1 takes.
/// - What D1 **returns** beyond 2<sup>53</sup> is rounded, and cannot be read as an integer: [see
///   `Row`](Row#integers-that-the-database-has-rounded). A real without a fraction, as 2.0, comes back as an integer.
/// - A **blob** and a **text** are kept to the byte, U+0000 too (SQLite's own functions stop at it).
/// - **NaN and infinities** are refused: D1 would store NULL. An infinity that SQL has computed is returned as
///   NULL. −0.0 is 0.0.
///
/// # Placeholders
///
/// `?` and `?1`. [Named ones are not for D1](https://developers.cloudflare.com/d1/worker-api/prepared-statements/),
/// and are refused, as is another number of values than of placeholders, and more than one statement in one text, of
/// which D1 returns the last.
///
/// # Limits
///
/// [`Limits::D1`]: 100 values and 100,000 bytes of SQL a statement, 2,000,000 bytes a value. What is larger is refused
/// with [`TooLarge`](tower_egress::sql::SqlErrorKind::TooLarge), and nothing is sent.
///
/// # Batches
///
/// D1 returns the rows of a batch as objects. So of two columns with the same name the second is left, and columns
/// whose names are numbers come first: name them apart with `AS`. It does not say which statement of a batch failed.
///
/// # Retries
///
/// What Cloudflare says to [retry](https://developers.cloudflare.com/d1/observability/debug-d1/#error-list) is
/// retried if it can be [repeated](Statement::is_idempotent): with up to 5 attempts, and random pauses of at most 100
/// ms, 200 ms, 400 ms and 800 ms between them. D1 itself repeats what only reads up to twice. A write that is not
/// marked as idempotent is sent once.
///
/// # Example
///
/// ```
/// use tower_egress::sql::{Database, DatabaseExt, Statement};
/// use tower_egress_worker::D1;
///
/// async fn stars(env: &worker::Env, name: &str) -> worker::Result<Option<i64>> {
///     let database = D1::from_env(env, "DB")?;
///     let select = Statement::new("SELECT stars FROM repos WHERE name = ?").bind(name);
///     let stars = database.first_as(select).await;
///     stars.map_err(|error| worker::Error::RustError(error.to_string()))
/// }
/// ```
#[derive(Debug)]
pub struct D1 {
    database: D1Database,
    attempts: NonZeroU32,
    limits: Limits,
}

impl D1 {
    /// Wraps the binding of this name.
    ///
    /// # Errors
    ///
    /// If there is none, or it is no D1 database.
    pub fn from_env(env: &Env, name: &str) -> worker::Result<Self> {
        env.d1(name).map(Self::from)
    }

    /// Sets how often at most a statement is sent that can be repeated, 5 by default.
    #[must_use]
    pub const fn with_attempts(mut self, attempts: NonZeroU32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets what it takes, [`Limits::D1`] by default: on the free plan, `Limits::D1.with_statements(50)`.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    async fn send(&self, call: &str, statements: &[Statement]) -> Result<Answer, SqlError> {
        let packed = Packed::new(statements, &self.limits)?;
        let repeatable = statements.iter().all(Statement::is_idempotent);
        let attempts = if repeatable {
            self.attempts
        } else {
            NonZeroU32::MIN
        };
        let attempt = || async {
            let sent = send(self.database.as_ref(), call, &packed.text, &packed.bytes);
            let answer = JsFuture::from(sent).await.map_err(|thrown| {
                message::read(&thrown.as_string().unwrap_or_default(), statements)
            })?;
            match answer.as_string() {
                Some(text) => Answer::read(&text, Vec::new()),
                None => {
                    let both: js_sys::Array = answer.unchecked_into();
                    let bytes: js_sys::Uint8Array = both.get(1).unchecked_into();
                    Answer::read(&both.get(0).as_string().unwrap_or_default(), bytes.to_vec())
                }
            }
        };
        retry::retry(WorkerTimer::new(), attempts, js_sys::Math::random, attempt).await
    }

    async fn send_one(&self, call: &str, statement: Statement) -> Result<Outcome, SqlError> {
        let mut outcomes = self.send(call, &[statement]).await?.into_outcomes()?;
        outcomes.pop().ok_or_else(answer::missing)
    }
}

impl From<D1Database> for D1 {
    fn from(database: D1Database) -> Self {
        Self {
            database,
            attempts: retry::ATTEMPTS,
            limits: Limits::D1,
        }
    }
}

/// Both use one binding.
impl Clone for D1 {
    fn clone(&self) -> Self {
        let binding: &JsValue = self.database.as_ref();
        Self {
            database: D1Database::unchecked_from_js(binding.clone()),
            attempts: self.attempts,
            limits: self.limits,
        }
    }
}

impl Database for D1 {
    async fn run(&self, statement: Statement) -> Result<Changes, SqlError> {
        Ok(self.send_one("run", statement).await?.changes)
    }

    async fn first(&self, statement: Statement) -> Result<Option<Row>, SqlError> {
        let rows = self.send_one("first", statement).await?.rows;
        Ok(rows.into_iter().next())
    }

    async fn all(&self, statement: Statement) -> Result<Vec<Row>, SqlError> {
        Ok(self.send_one("all", statement).await?.rows)
    }

    /// No statement is none to send: D1 would refuse it.
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Outcome>, SqlError> {
        if statements.is_empty() {
            return Ok(Vec::new());
        }
        let outcomes = self.send("batch", &statements).await?.into_outcomes()?;
        if outcomes.len() == statements.len() {
            Ok(outcomes)
        } else {
            Err(answer::missing())
        }
    }

    fn limits(&self) -> Limits {
        self.limits
    }
}
