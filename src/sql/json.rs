//! Texts of JSON in columns.

use super::{SqlError, SqlErrorKind, Value};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned, de::Error};
use std::borrow::Cow;

/// Reads a column that holds JSON as the type that was written.
///
/// [`Value::json`] writes it.
///
/// ```
/// use tower_egress::sql::{Json, Row, Value};
///
/// let labels = Value::json(&["bug", "easy"])?;
/// let row = Row::new(["labels"].map(Box::from).into(), vec![labels]);
/// let Json(labels): Json<Vec<String>> = row.get_as("labels")?;
/// assert_eq!(labels, ["bug", "easy"]);
/// # Ok::<(), tower_egress::sql::SqlError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Json<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        serde_json::from_slice(text.as_bytes())
            .map(Self)
            .map_err(D::Error::custom)
    }
}

impl Value {
    /// Makes a text of JSON. [`Json`] reads it.
    ///
    /// # Errors
    ///
    /// If the type cannot be written as JSON, as a map whose keys are no texts.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, SqlError> {
        // serde's message may tell a part of the value.
        let text = serde_json::to_string(value).map_err(|_| {
            SqlError::new(
                SqlErrorKind::InvalidStatement,
                "a value cannot be written as JSON",
            )
        })?;
        Ok(Self::Text(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Row;
    use std::collections::BTreeMap;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn what_is_written_as_json_is_read_as_it_was() {
        let value = Value::json(&(1, "a\0", [0.5])).unwrap();
        let row = Row::new(["j"].map(Box::from).into(), vec![value]);
        let read: Json<(i64, String, [f64; 1])> = row.get_as("j").unwrap();
        assert_eq!(read.0, (1, "a\0".to_owned(), [0.5]));
        let error = row.get_as::<Json<bool>>("j").unwrap_err();
        assert_eq!(error.kind(), SqlErrorKind::Decode);
        assert!(error.message().contains("`j`"), "{error}");
    }

    #[test]
    fn what_json_has_no_form_for_is_an_error_that_tells_no_value() {
        let error = Value::json(&BTreeMap::from([((4711, 1), 1)])).unwrap_err();
        assert_eq!(error.kind(), SqlErrorKind::InvalidStatement);
        assert!(!error.message().contains("4711"));
    }
}
