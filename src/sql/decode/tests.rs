use crate::sql::{Row, SqlErrorKind, Value};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use std::{collections::BTreeMap, fmt};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn row<const N: usize>(cells: [(&str, Value); N]) -> Row {
    let (columns, values): (Vec<Box<str>>, _) = cells
        .into_iter()
        .map(|(column, value)| (column.into(), value))
        .unzip();
    Row::new(columns.into(), values)
}

fn of<T: DeserializeOwned>(value: impl Into<Value>) -> Result<T, String> {
    let row = row([("secret_free", value.into())]);
    row.get_as("secret_free").map_err(|error| error.to_string())
}

fn refused<T: DeserializeOwned + fmt::Debug>(value: impl Into<Value>) -> String {
    let message = of::<T>(value).unwrap_err();
    assert!(
        message.contains("`secret_free`"),
        "names the column: {message}"
    );
    assert!(
        !message.contains("4711"),
        "does not tell the value: {message}"
    );
    message
}

#[test]
fn integers_keep_their_value_or_are_refused() {
    for integer in [i64::MIN, -1, 0, 9_007_199_254_740_993, i64::MAX] {
        assert_eq!(of(integer), Ok(integer));
        assert_eq!(of(integer.to_string()), Ok(integer), "selected as text");
        assert_eq!(of(integer), Ok(i128::from(integer)));
    }
    assert_eq!(of(255), Ok(255_u8));
    assert_eq!(of(i64::MAX), Ok(u64::try_from(i64::MAX).unwrap()));
    refused::<u8>(4711);
    refused::<u64>(-4711);
    refused::<i64>(4711.0);
    refused::<i64>("4711 ");
    refused::<i64>("47110000000000000000000000");
    refused::<i64>(b"4711");
    refused::<i64>(Value::Null);
}

#[test]
fn an_integer_is_read_from_a_text_however_large_its_type() {
    assert_eq!(of(u64::MAX.to_string()), Ok(u64::MAX));
    assert_eq!(of(u128::MAX.to_string()), Ok(u128::MAX));
    assert_eq!(of(i128::MIN.to_string()), Ok(i128::MIN));
    refused::<i64>(u64::MAX.to_string());
    refused::<u64>("-1");
    refused::<u64>("4711.0");
    refused::<u128>("");
}

#[test]
fn reals_are_read_from_any_number() {
    assert_eq!(of(1.5), Ok(1.5_f64));
    assert_eq!(of(3), Ok(3.0_f64));
    assert_eq!(of(f64::INFINITY), Ok(f64::INFINITY));
    assert_eq!(of(1.5), Ok(1.5_f32));
    refused::<f32>(4.711e300);
    refused::<f64>("4711.0");
    for (integer, real) in [
        (i64::MIN, -9_223_372_036_854_775_808.0),
        (i64::MAX, 9_223_372_036_854_775_808.0),
        (9_007_199_254_740_993, 9_007_199_254_740_992.0),
        (9_007_199_254_740_995, 9_007_199_254_740_996.0),
        (-9_007_199_254_740_995, -9_007_199_254_740_996.0),
        (-1, -1.0),
    ] {
        assert_eq!(of::<f64>(integer), Ok(real), "the nearest to {integer}");
    }
}

#[test]
fn bools_are_0_and_1() {
    assert_eq!(of(0), Ok(false));
    assert_eq!(of(1), Ok(true));
    refused::<bool>(4711);
    refused::<bool>(1.0);
    refused::<bool>("true");
}

#[test]
fn options_are_null_or_not() {
    assert_eq!(of(Value::Null), Ok(None::<i64>));
    assert_eq!(of(1), Ok(Some(1)));
    assert_eq!(of(Value::Null), Ok(()));
    refused::<Option<i64>>("x4711");
}

#[test]
fn texts_and_blobs_are_not_each_other() {
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(of(all.clone()), Ok(all));
    assert_eq!(of(b""), Ok(Vec::<u8>::new()));
    assert_eq!(of("a\0ü"), Ok("a\0ü".to_owned()));
    assert_eq!(of("ü"), Ok('ü'));
    assert_eq!(of(b"ab"), Ok([97_u8, 98]));
    refused::<String>(b"4711");
    refused::<String>(4711);
    refused::<char>("4711");
    refused::<Vec<u8>>("4711");
    refused::<[u8; 2]>(b"4711");
    refused::<Vec<String>>("4711");
}

#[test]
fn an_enum_is_read_from_its_name() {
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum State {
        Open,
        Closed,
    }
    assert_eq!(of("open"), Ok(State::Open));
    let message = refused::<State>("4711");
    assert!(message.contains("closed"), "{message}");
    refused::<State>(4711);
}

#[derive(Debug, Deserialize, PartialEq)]
struct Name(String);

#[derive(Debug, Deserialize, PartialEq)]
struct Repo {
    id: i64,
    name: Name,
    #[serde(default)]
    stars: Option<u32>,
}

#[test]
fn a_struct_is_read_by_the_names_of_the_columns() {
    let tower = row([
        ("name", "tower".into()),
        ("other", 1.5.into()),
        ("id", 1.into()),
    ]);
    let expected = Repo {
        id: 1,
        name: Name("tower".to_owned()),
        stars: None,
    };
    assert_eq!(tower.deserialize(), Ok(expected));
    let map: BTreeMap<&str, serde_json::Value> = tower.deserialize().unwrap();
    assert_eq!(
        serde_json::json!(map),
        serde_json::json!({"id": 1, "name": "tower", "other": 1.5})
    );
    let error = tower.deserialize::<(String, i64)>().unwrap_err();
    assert!(error.message().contains("`other`"), "{error}");
    let error = tower.deserialize::<(String, f64)>().unwrap_err();
    assert_eq!(error.kind(), SqlErrorKind::Decode, "a column too many");
}

#[test]
fn a_row_with_one_column_is_read_as_its_value() {
    assert_eq!(row([("count", 3.into())]).deserialize(), Ok(3_i64));
    assert_eq!(row([("max", Value::Null)]).deserialize(), Ok(None::<f64>));
    assert_eq!(
        row([("name", "a".into())]).deserialize(),
        Ok(Name("a".to_owned()))
    );
    assert_eq!(row([("flag", 1.into())]).deserialize(), Ok(true));
    let error = row([("count", "x".into())])
        .deserialize::<i64>()
        .unwrap_err();
    assert!(error.message().contains("`count`"), "{error}");
}

/// What is flattened is kept until its type is known, and an integer is no bool there.
#[test]
fn a_flattened_struct_is_read_but_for_what_has_no_type_of_its_own() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Inner {
        n: u64,
        real: f64,
        name: Option<String>,
        none: Option<i64>,
        state: State,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    enum State {
        Open,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    struct Outer {
        id: i64,
        #[serde(flatten)]
        inner: Inner,
        #[serde(flatten)]
        rest: BTreeMap<String, serde_json::Value>,
    }
    let row = row([
        ("n", 7.into()),
        ("id", i64::MIN.into()),
        ("real", 2.into()),
        ("name", "a".into()),
        ("none", Value::Null),
        ("state", "Open".into()),
        ("more", 0.5.into()),
    ]);
    let read: Outer = row.deserialize().unwrap();
    assert_eq!((read.id, read.inner.n, read.inner.real), (i64::MIN, 7, 2.0));
    assert_eq!((read.inner.none, read.inner.state), (None, State::Open));
    assert_eq!(read.rest["more"], serde_json::json!(0.5));
    #[derive(Debug, Deserialize)]
    struct Flag {
        #[expect(dead_code, reason = "is never read")]
        n: bool,
    }
    #[derive(Debug, Deserialize)]
    struct Flagged {
        #[serde(flatten)]
        #[expect(dead_code, reason = "is never read")]
        flag: Flag,
    }
    let error = row.deserialize::<Flagged>().unwrap_err();
    assert!(error.message().contains("an integer where"), "{error}");
}

#[test]
fn of_two_columns_with_one_name_a_map_loses_none() {
    let twice = row([("id", 1.into()), ("other", 3.into()), ("id", 2.into())]);
    let error = twice.deserialize::<BTreeMap<String, i64>>().unwrap_err();
    assert_eq!(error.message(), "the row has more than one column `id`");
}

#[test]
fn what_is_missing_or_there_twice_is_named() {
    let error = row([("id", 1.into())]).deserialize::<Repo>().unwrap_err();
    assert_eq!(error.message(), "the row has no column `name`");
    let twice = row([("id", 1.into()), ("id", 2.into())]);
    let error = twice.deserialize::<Repo>().unwrap_err();
    assert_eq!(error.message(), "the row has more than one column `id`");
    assert_eq!(
        twice.get("id").unwrap_err().message(),
        "more than one column is named `id`"
    );
    assert_eq!(
        twice.get("name").unwrap_err().message(),
        "there is no column `name`"
    );
    let error = row([]).deserialize::<i64>().unwrap_err();
    assert_eq!(
        error.message(),
        "the row has 0 parts where one column is wanted"
    );
}

#[test]
fn what_a_type_says_of_a_value_is_not_told() {
    #[derive(Debug, Deserialize)]
    struct Picky(
        #[serde(deserialize_with = "picky")]
        #[expect(dead_code, reason = "is never read")]
        i64,
    );
    fn picky<'a, D: Deserializer<'a>>(deserializer: D) -> Result<i64, D::Error> {
        let text = String::deserialize(deserializer)?;
        Err(D::Error::custom(format!("{text} is not picky")))
    }
    refused::<Picky>("4711");
}

#[test]
fn a_rounded_number_is_read_as_a_real_or_not_at_all() {
    let row = row([("id", 9_007_199_254_740_992.0.into()), ("name", "a".into())]).with_rounded(0);
    assert_eq!(row.get_as("id"), Ok(9_007_199_254_740_992.0_f64));
    let errors = [
        row.get("id").unwrap_err(),
        row.get_as::<i64>("id").unwrap_err(),
        row.get_as::<serde_json::Value>("id").unwrap_err(),
        row.get_as::<Option<u64>>("id").unwrap_err(),
        row.deserialize::<Repo>().unwrap_err(),
    ];
    for error in errors {
        assert!(
            error.message().contains("`id`") && error.message().contains("TEXT"),
            "{error}"
        );
    }
    #[derive(Deserialize)]
    struct Other {
        name: String,
    }
    assert_eq!(
        row.deserialize::<Other>().unwrap().name,
        "a",
        "what is not asked for does no harm"
    );
}
