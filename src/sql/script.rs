//! A text of several statements, cut into them.

use super::{SqlError, SqlErrorKind, Token, TokenKind, Tokens};

/// The statements of a text of SQL, each without its semicolon and the comments around it.
///
/// The body of a trigger, which has semicolons of its own, stays whole.
///
/// ```
/// use tower_egress::sql::Script;
///
/// let script = "CREATE TABLE a (b); -- one\n CREATE TRIGGER c AFTER INSERT ON a BEGIN DELETE FROM a; END;";
/// let statements: Vec<_> = Script::new(script).collect();
/// assert_eq!(statements[0], "CREATE TABLE a (b)");
/// assert!(statements.len() == 2 && statements[1].ends_with("END"));
/// ```
#[derive(Clone, Debug)]
pub struct Script<'a>(&'a str);

impl<'a> Script<'a> {
    /// Starts at the beginning of a text.
    pub const fn new(sql: &'a str) -> Self {
        Self(sql)
    }
}

/// Where in a statement that makes a trigger a token stands.
#[derive(Clone, Copy, PartialEq)]
enum Trigger {
    /// Only words that may come before TRIGGER so far.
    Perhaps,
    /// It makes no trigger, or the trigger has ended.
    No,
    /// In the trigger.
    Inside,
    /// In it, after a semicolon: END ends it.
    AfterSemicolon,
}

impl Trigger {
    fn next(self, token: Token<'_>) -> Self {
        let is = |words: &[&str]| words.iter().any(|w| token.text.eq_ignore_ascii_case(w));
        match self {
            Self::Perhaps if is(&["TRIGGER"]) => Self::Inside,
            Self::Perhaps if is(&["EXPLAIN", "QUERY", "PLAN", "CREATE", "TEMP", "TEMPORARY"]) => {
                Self::Perhaps
            }
            Self::Perhaps | Self::No => Self::No,
            _ if token.kind == TokenKind::Semicolon => Self::AfterSemicolon,
            Self::AfterSemicolon if is(&["END"]) => Self::No,
            _ => Self::Inside,
        }
    }
}

impl<'a> Iterator for Script<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0;
        let (mut at, mut start, mut end) = (0, None, 0);
        let mut trigger = Trigger::Perhaps;
        for token in Tokens::new(text) {
            let from = at;
            at += token.text.len();
            if token.kind == TokenKind::Space {
                continue;
            }
            if token.kind == TokenKind::Semicolon
                && matches!(trigger, Trigger::Perhaps | Trigger::No)
            {
                if start.is_some() {
                    break;
                }
                continue;
            }
            start.get_or_insert(from);
            end = at;
            trigger = trigger.next(token);
        }
        self.0 = &text[at..];
        start.map(|start| &text[start..end])
    }
}

/// Returns the only statement of a text.
pub(crate) fn only(sql: &str) -> Result<&str, SqlError> {
    if !sql.contains(';') {
        return Ok(sql);
    }
    let mut script = Script::new(sql);
    let first = script.next().unwrap_or_default();
    match script.next() {
        None => Ok(first),
        Some(_) => Err(SqlError::new(
            SqlErrorKind::InvalidStatement,
            "there is more than one statement: make a batch",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const TRIGGER: &str = "CREATE TRIGGER a AFTER INSERT ON b WHEN CASE 1 WHEN 1 THEN 1 END BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; DELETE FROM b; END";

    fn statements(sql: &str) -> Vec<&str> {
        Script::new(sql).collect()
    }

    #[test]
    fn a_text_is_cut_where_a_statement_ends_and_nowhere_else() {
        for (sql, expected) in [
            ("", vec![]),
            (" ;; -- ;\n /* ; */ ;", vec![]),
            ("SELECT 1", vec!["SELECT 1"]),
            (";SELECT 1 ; -- c", vec!["SELECT 1"]),
            (
                "SELECT ';' ; SELECT \";\"",
                vec!["SELECT ';'", "SELECT \";\""],
            ),
            ("-- a;\nSELECT /* ; */ 1 -- b", vec!["SELECT /* ; */ 1"]),
            ("SELECT 1 /* c", vec!["SELECT 1"]),
            (
                "CREATE TABLE trigger_log (a); SELECT 1",
                vec!["CREATE TABLE trigger_log (a)", "SELECT 1"],
            ),
            (
                "SELECT 'TRIGGER'; SELECT 2",
                vec!["SELECT 'TRIGGER'", "SELECT 2"],
            ),
        ] {
            assert_eq!(statements(sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_trigger_stays_whole() {
        for create in [
            "CREATE TRIGGER",
            "create /* a */ temp trigger",
            "EXPLAIN CREATE TEMPORARY TRIGGER",
        ] {
            let trigger = TRIGGER.replace("CREATE TRIGGER", create);
            let sql = format!("SELECT 1; {trigger}; SELECT 2");
            assert_eq!(statements(&sql), ["SELECT 1", &trigger, "SELECT 2"]);
        }
        let open = TRIGGER.trim_end_matches("END");
        assert_eq!(statements(open), [open.trim_end()], "one that does not end");
    }

    #[test]
    fn only_one_statement_is_one() {
        for sql in ["SELECT 1", "SELECT 1 -- a", TRIGGER, ""] {
            assert_eq!(only(sql).as_deref(), Ok(sql), "as it is");
        }
        assert_eq!(only(";SELECT ? ; -- c"), Ok("SELECT ?"));
        assert_eq!(only(" ; "), Ok(""));
        assert!(only("SELECT 1; SELECT 2").is_err());
        assert!(only(&format!("{TRIGGER}; SELECT 1")).is_err());
    }
}
