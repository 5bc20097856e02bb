use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn packed(statement: Statement) -> Result<String, SqlError> {
    Packed::new(&[statement], &Limits::D1).map(|packed| packed.text)
}

fn with_casts_of(statement: &Statement) -> Result<Cow<'_, str>, SqlError> {
    with_casts(statement.sql(), statement.values())
}

#[test]
fn integers_are_cast_and_nothing_else_is_touched() {
    for (sql, values, cast) in [
        (
            "a = ? AND b = ?",
            vec![1.into(), "x".into()],
            "a = (+CAST(?1 AS INTEGER)) AND b = ?2",
        ),
        (
            "?2, ?1, ?",
            vec![0.5.into(), 1.into(), Value::Null],
            "(+CAST(?2 AS INTEGER)), ?1, ?3",
        ),
        (
            "?1 + ?1",
            vec![1.into()],
            "(+CAST(?1 AS INTEGER)) + (+CAST(?1 AS INTEGER))",
        ),
        (
            "'?', \"?\", [?], `?`, ? -- ?",
            vec![1.into()],
            "'?', \"?\", [?], `?`, (+CAST(?1 AS INTEGER)) -- ?",
        ),
        (
            "? /* ? */, ?001",
            vec![1.into()],
            "(+CAST(?1 AS INTEGER)) /* ? */, (+CAST(?1 AS INTEGER))",
        ),
        (
            "a = ? AND b = ?",
            vec![0.5.into(), "x".into()],
            "a = ? AND b = ?",
        ),
        ("SELECT 1", vec![], "SELECT 1"),
    ] {
        let statement = Statement::new(sql).bind_all(values);
        assert_eq!(with_casts_of(&statement).unwrap(), cast);
    }
}

#[test]
fn values_and_placeholders_match_or_nothing_is_sent() {
    for (sql, values) in [
        ("?", 0),
        ("?, ?", 1),
        ("?3", 2),
        ("?0", 1),
        ("?99999999999999999999999", 1),
        ("'?'", 1),
        ("?1, ?1", 2),
        (":name", 1),
        ("@name", 1),
        ("$name", 1),
        ("SELECT 1\0, ?", 1),
    ] {
        let statement = Statement::new(sql).bind_all(vec!["4711"; values]);
        let error = packed(statement).unwrap_err();
        assert_eq!(error.kind(), SqlErrorKind::InvalidStatement, "{sql}");
        assert_eq!(error.statement(), None, "there is only one");
        assert!(!error.message().contains("4711"), "{error}");
    }
}

#[test]
fn each_value_is_what_javascript_makes_the_same_of() {
    let statement = Statement::new("?, ?, ?, ?, ?, ?")
        .bind(Value::Null)
        .bind(i64::MIN)
        .bind(0.1)
        .bind("\"\0\u{feff}ü𝄞")
        .bind(b"ab")
        .bind(b"");
    let packed = Packed::new(&[statement], &Limits::D1).unwrap();
    assert_eq!(
        packed.text,
        r#"[["?1, (+CAST(?2 AS INTEGER)), ?3, ?4, ?5, ?6",[null,"-9223372036854775808",0.1,"\"\u0000"#
            .to_owned()
            + "\u{feff}ü𝄞\",[2],[0]]]]"
    );
    assert_eq!(packed.bytes, b"ab");
}

#[test]
fn what_d1_would_store_as_null_is_refused() {
    for real in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = packed(Statement::new("?, ?").bind(1).bind(real)).unwrap_err();
        assert_eq!(error.kind(), SqlErrorKind::InvalidStatement);
        assert!(error.message().contains("value 2"), "{error}");
    }
    assert!(packed(Statement::new("?").bind(f64::MAX)).is_ok());
}

#[test]
fn what_is_larger_than_the_limits_is_refused() {
    let many = |n| Statement::new(vec!["?"; n].join(",")).bind_all(vec!["a"; n]);
    let long = |n| Statement::new("a".repeat(n));
    let text = |n| Statement::new("?").bind("a".repeat(n));
    let blob = |n| Statement::new("?").bind(vec![0; n]);
    for (most, more) in [
        (many(100), many(101)),
        (long(100_000), long(100_001)),
        (text(2_000_000), text(2_000_001)),
        (blob(2_000_000), blob(2_000_001)),
        // The cast is 21 bytes longer than its `?`.
        (
            Statement::new(format!("?{}", "a".repeat(99_978))).bind(1),
            Statement::new(format!("?{}", "a".repeat(99_979))).bind(1),
        ),
    ] {
        assert!(packed(most).is_ok());
        let kind = packed(more).err().map(|error| error.kind());
        assert_eq!(kind, Some(SqlErrorKind::TooLarge));
    }
}

#[test]
fn a_batch_says_which_statement_it_is() {
    let good = Statement::new("SELECT 1");
    let error = Packed::new(
        &[good.clone(), good, Statement::new("SELECT ?")],
        &Limits::D1,
    )
    .unwrap_err();
    assert_eq!(error.statement(), Some(2));
}

#[test]
fn what_follows_the_semicolon_is_left_out() {
    // D1 would want values for its second statement, which is a comment.
    let packed = packed(Statement::new("SELECT ? ; -- ?").bind("a")).unwrap();
    assert_eq!(packed, r#"[["SELECT ?",["a"]]]"#);
}

#[test]
fn more_than_one_statement_is_refused() {
    let trigger = "CREATE TRIGGER a AFTER INSERT ON b BEGIN DELETE FROM b; SELECT 1; END";
    let temporary = trigger.replace("CREATE", "create /* a */ temp");
    for sql in [
        "SELECT 1;",
        "SELECT ';' ; -- that is all",
        ";SELECT 1",
        trigger,
        &temporary,
    ] {
        assert!(packed(Statement::new(sql.to_owned())).is_ok(), "{sql}");
    }
    for sql in ["SELECT 1; SELECT 2", "CREATE TABLE a (b); DROP TABLE c"] {
        let error = packed(Statement::new(sql)).unwrap_err();
        assert_eq!(error.kind(), SqlErrorKind::InvalidStatement, "{sql}");
    }
}
