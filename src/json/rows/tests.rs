use super::*;
use crate::json::JsonItems;
use futures_util::{
    FutureExt, StreamExt,
    stream::{self, BoxStream},
};
use http_body::Body;
use http_body_util::BodyExt;
use serde::Serializer;
use serde_json::{Value, value::RawValue};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::Poll,
};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

type Answer<S> = Result<Response<JsonBody<S, String>>, RowError<String>>;

fn get() -> Request<()> {
    Request::new(())
}

fn rows(n: u64) -> impl Stream<Item = Result<u64, String>> {
    stream::iter((0..n).map(Ok))
}

/// Rows that fail after so many.
fn failing(n: u64) -> impl Stream<Item = Result<u64, String>> {
    rows(n).chain(stream::iter([Err("no more".to_owned()), Ok(7)]))
}

fn respond<S, T>(json: &JsonRows, request: &Request<()>, rows: S) -> Answer<S>
where
    S: Stream<Item = Result<T, String>>,
    T: Serialize,
{
    let ready = json.respond(request, rows).now_or_never();
    ready.expect("the source does not wait")
}

/// What a client reads, and the error at which the body ends.
fn read<S, T>(response: Response<JsonBody<S, String>>) -> (String, Option<String>)
where
    S: Stream<Item = Result<T, String>>,
    T: Serialize,
{
    let mut body = response.into_body();
    let mut text = Vec::new();
    while let Some(frame) = body.frame().now_or_never().expect("it does not wait") {
        match frame {
            Ok(frame) => text.extend_from_slice(frame.data_ref().expect("there are no trailers")),
            Err(error) => {
                assert!(body.frame().now_or_never().flatten().is_none());
                return (String::from_utf8(text).unwrap(), Some(error.to_string()));
            }
        }
    }
    assert!(body.is_end_stream());
    (String::from_utf8(text).unwrap(), None)
}

fn header<S>(response: &Response<JsonBody<S, String>>, name: &str) -> Option<String> {
    let value = response.headers().get(name)?;
    Some(value.to_str().unwrap().to_owned())
}

#[test]
fn small_sets_are_whole_and_larger_ones_streamed() {
    for (n, whole) in [(0, true), (1, true), (50, true), (51, false), (5000, false)] {
        for json in [JsonRows::array(), JsonRows::ndjson()] {
            let response = respond(&json, &get(), rows(n)).unwrap();
            assert_eq!(response.status(), 200);
            let length = header(&response, "content-length");
            assert_eq!(length.is_some(), whole, "{n} rows");
            assert_eq!(header(&response, "etag").is_some(), whole, "{n} rows");
            let hint = response.body().size_hint().exact();
            assert_eq!(hint.map(|hint| hint.to_string()), length);
            let (text, error) = read(response);
            assert_eq!(error, None);
            assert!(length.is_none_or(|length| length == text.len().to_string()));
            if json.format == Format::Array {
                let read: Vec<u64> = serde_json::from_str(&text).unwrap();
                assert_eq!(read, Vec::from_iter(0..n));
            } else {
                let items = JsonItems::<_, u64>::counted(text);
                let read: Vec<_> = items.map(Result::unwrap).collect().now_or_never().unwrap();
                assert_eq!(read, Vec::from_iter(0..n));
            }
        }
    }
}

#[test]
fn the_bytes_are_the_same_whole_and_streamed() {
    for (json, expected) in [
        (JsonRows::array(), "[0,1,2]"),
        (JsonRows::ndjson(), "0\n1\n2\n{\"$count\":3}\n"),
    ] {
        for threshold in [0, 1, 2, 3, u64::MAX] {
            let json = json.clone().with_threshold(threshold);
            let response = respond(&json, &get(), rows(3)).unwrap();
            assert_eq!(read(response), (expected.to_owned(), None));
        }
    }
    let empty = respond(&JsonRows::array().with_threshold(0), &get(), rows(0)).unwrap();
    assert_eq!(read(empty), ("[]".to_owned(), None));
}

#[test]
fn an_error_before_the_first_byte_is_returned() {
    for n in [0, 50] {
        let error = respond(&JsonRows::array(), &get(), failing(n)).unwrap_err();
        assert!(matches!(error, RowError::Source(error) if error == "no more"));
    }
    let streamed = JsonRows::ndjson().with_threshold(0);
    assert!(respond(&streamed, &get(), failing(0)).is_err());
}

#[test]
fn an_error_later_breaks_the_body_off_behind_the_rows_before_it() {
    let (text, error) = read(respond(&JsonRows::array(), &get(), failing(51)).unwrap());
    assert_eq!(error.unwrap(), "the rows broke off: no more");
    assert!(text.starts_with("[0,1,") && text.ends_with(",50"), "{text}");
    let (text, error) = read(respond(&JsonRows::ndjson(), &get(), failing(51)).unwrap());
    assert!(error.is_some() && text.ends_with("\n50\n"), "{text}");
}

#[test]
fn a_row_that_is_no_json_leaves_nothing_of_itself() {
    struct Row(u64);

    impl Serialize for Row {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if self.0 < 60 {
                return self.0.serialize(serializer);
            }
            let half = serde_json::json!({"half": ["written"]});
            (half, Half).serialize(serializer)
        }
    }

    struct Half;

    impl Serialize for Half {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("that cannot be said"))
        }
    }

    let source = || rows(100).map(|row| row.map(Row));
    let (text, error) = read(respond(&JsonRows::array(), &get(), source()).unwrap());
    assert!(text.ends_with(",59"), "{text}");
    assert_eq!(
        error.unwrap(),
        "row 60 cannot be written: that cannot be said"
    );
    let whole = JsonRows::array().with_threshold(100);
    let error = respond(&whole, &get(), source()).unwrap_err();
    assert!(matches!(error, RowError::Serialize { row: 60, .. }));
}

#[test]
fn a_head_is_told_what_a_get_would_be_and_has_no_body() {
    let head = Request::head("/").body(()).unwrap();
    for n in [3, 1000] {
        let told = respond(&JsonRows::array(), &head, rows(n)).unwrap();
        let get = respond(&JsonRows::array(), &get(), rows(n)).unwrap();
        assert_eq!(told.headers(), get.headers());
        assert_eq!(told.status(), 200);
        assert!(told.body().is_end_stream());
    }
    assert!(respond(&JsonRows::array(), &head, failing(3)).is_err());
}

fn asking(method: &str, header: &str, value: &str) -> Request<()> {
    let request = Request::builder().method(method).header(header, value);
    request.body(()).unwrap()
}

#[test]
fn a_client_that_has_this_whole_is_not_sent_it() {
    let json = JsonRows::array();
    let first = respond(&json, &get(), rows(3)).unwrap();
    let tag = header(&first, "etag").unwrap();
    assert!(tag.starts_with('"'), "of the content itself: {tag}");
    for method in ["GET", "HEAD"] {
        let again = asking(method, "if-none-match", &tag);
        let told = respond(&json, &again, rows(3)).unwrap();
        assert_eq!(told.status(), 304);
        assert_eq!(header(&told, "etag").as_deref(), Some(&*tag));
        assert_eq!(header(&told, "content-length"), None);
        assert_eq!(read(told).0, "");
        assert_eq!(respond(&json, &again, rows(4)).unwrap().status(), 200);
    }
    let post = asking("POST", "if-none-match", &tag);
    assert_eq!(respond(&json, &post, rows(3)).unwrap().status(), 200);
    let other = asking("GET", "if-match", "\"other\"");
    assert_eq!(respond(&json, &other, rows(3)).unwrap().status(), 412);
}

#[test]
fn a_version_spares_the_source() {
    let polls = Arc::new(AtomicU64::new(0));
    let source = || {
        let polls = Arc::clone(&polls);
        rows(1000).inspect(move |_| {
            polls.fetch_add(1, Relaxed);
        })
    };
    let json = JsonRows::array().with_version(&("2026-01-01", 7));
    let first = respond(&json, &get(), source()).unwrap();
    let tag = header(&first, "etag").unwrap();
    assert!(tag.starts_with("W/"), "{tag}");
    polls.store(0, Relaxed);
    let again = asking("GET", "if-none-match", &tag);
    assert_eq!(respond(&json, &again, source()).unwrap().status(), 304);
    assert_eq!(polls.load(Relaxed), 0);
    for other in [
        JsonRows::array().with_version(&("2026-01-02", 7)),
        JsonRows::ndjson().with_version(&("2026-01-01", 7)),
    ] {
        assert_eq!(respond(&other, &again, source()).unwrap().status(), 200);
    }
}

/// As many rows as are asked for, and no more: that is backpressure.
#[test]
fn rows_are_made_as_the_body_is_read() {
    let made = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&made);
    let endless = stream::iter(0_u64..).map(move |row| {
        count.fetch_add(1, Relaxed);
        Ok::<_, String>(row)
    });
    let mut body = respond(&JsonRows::array(), &get(), endless)
        .unwrap()
        .into_body();
    assert_eq!(made.load(Relaxed), 51);
    let mut seen = 51;
    for _ in 0..5 {
        let frame = body.frame().now_or_never().unwrap().unwrap().unwrap();
        let length = frame.into_data().unwrap().len();
        assert!((16_384..16_500).contains(&length), "{length}");
        let now = made.load(Relaxed);
        assert!(now - seen < 16_384, "no more than a frame");
        seen = now;
    }
}

/// The answer is there as soon as it is known that it is streamed, and its first bytes with it.
#[test]
fn the_first_byte_waits_for_no_more_rows_than_the_threshold() {
    for (there, is_answered) in [(50, false), (51, true)] {
        let source = rows(there).chain(stream::pending());
        let json = JsonRows::array();
        let answer = json.respond(&get(), source).now_or_never();
        assert_eq!(answer.is_some(), is_answered, "of {there} rows");
        let Some(answer) = answer else { continue };
        let mut body = answer.unwrap().into_body();
        let frame = body.frame().now_or_never().unwrap().unwrap().unwrap();
        let text = frame.into_data().unwrap();
        assert!(text.starts_with(b"[0,") && text.ends_with(b",50"));
        assert!(body.frame().now_or_never().is_none(), "the rest is to come");
    }
}

#[test]
fn what_is_there_goes_out_while_the_source_waits() {
    let mut polls = 0;
    let source: BoxStream<'_, Result<u64, String>> = stream::poll_fn(move |_| {
        polls += 1;
        match polls {
            1 => Poll::Ready(Some(Ok(1))),
            2 => Poll::Ready(Some(Ok(2))),
            _ => Poll::Pending,
        }
    })
    .boxed();
    let json = JsonRows::ndjson().with_threshold(0);
    let mut body = respond(&json, &get(), source).unwrap().into_body();
    let frame = body.frame().now_or_never().unwrap().unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "1\n2\n");
    assert!(body.frame().now_or_never().is_none());
}

#[test]
fn a_client_that_leaves_drops_the_source() {
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    let source = rows(100_000).inspect(move |_| {
        let _ = &held;
    });
    let mut body = respond(&JsonRows::array(), &get(), source)
        .unwrap()
        .into_body();
    let _ = body.frame().now_or_never();
    assert_eq!(Arc::strong_count(&alive), 2);
    drop(body);
    assert_eq!(Arc::strong_count(&alive), 1);
}

/// Send follows the source.
#[test]
fn the_body_of_a_source_that_is_send_is_send() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&respond(&JsonRows::array(), &get(), rows(3)).unwrap());
    is_send(&JsonRows::array().respond(&get(), rows(3)));
}

#[test]
fn the_defaults_are_as_documented() {
    assert_eq!(JsonRows::array().threshold, 50);
    assert_eq!(JsonRows::ndjson().version, None);
}

/// Raw JSON, as it may come out of a database.
fn raw(texts: &[&str]) -> impl Stream<Item = Result<Box<RawValue>, String>> + use<> {
    let rows: Vec<_> = texts
        .iter()
        .map(|text| Ok(RawValue::from_string((*text).to_owned()).unwrap()))
        .collect();
    stream::iter(rows)
}

fn read_back(text: &str) -> (Vec<Value>, Option<String>) {
    let items = JsonItems::<_, Value>::counted(text.to_owned());
    let read: Vec<_> = items.collect().now_or_never().unwrap();
    let error = read.last().and_then(|last| last.as_ref().err());
    let error = error.map(ToString::to_string);
    (read.into_iter().flatten().collect(), error)
}

#[test]
fn a_row_of_several_lines_becomes_one() {
    let rows = ["{\n  \"a\": \"b\\nc\",\r\n  \"d\": [\n1\r]\n}", "2"];
    let streamed = JsonRows::ndjson().with_threshold(0);
    let (text, error) = read(respond(&streamed, &get(), raw(&rows)).unwrap());
    assert_eq!((text.lines().count(), error), (3, None), "{text}");
    let expected = rows.map(|row| serde_json::from_str::<Value>(row).unwrap());
    assert_eq!(read_back(&text), (expected.into(), None));
}

/// Whatever the rows are, each part of the body is told from the whole.
#[test]
fn no_row_is_taken_for_the_record_that_counts() {
    let rows = [
        "0",
        "{\"$count\":1}",
        "{\"$count\":2}",
        "{ \"$count\" : 3 }",
        "{\"\\u0024count\":4}",
        "{\"$row\":{\"$count\":5}}",
        "{\"$row\":{\"$row\":6}}",
        "{\"$row\":7,\"a\":8}",
        "{\"$row\":7,\"$row\":8}",
        "{\"$count\":9,\"$count\":9}",
        "{\"$count\":-1}",
        "{\"$count\":\"11\"}",
        "{\"$row\":null}",
        "{\"\\u0024row\":[]}",
        "{\"$other\":1}",
        "[15]",
        "{\"$count\":16}",
    ];
    let expected = rows.map(|row| serde_json::from_str::<Value>(row).unwrap());
    for n in 0..=rows.len() {
        let (text, error) = read(respond(&JsonRows::ndjson(), &get(), raw(&rows[..n])).unwrap());
        assert_eq!(error, None);
        assert_eq!(read_back(&text), (expected[..n].to_vec(), None));
        for cut in 0..text.len() - 1 {
            let (part, error) = read_back(&text[..cut]);
            assert!(expected[..n].starts_with(&part), "{:?}", &text[..cut]);
            assert!(error.is_some(), "{:?}", &text[..cut]);
        }
    }
    let (text, _) = read(respond(&JsonRows::ndjson(), &get(), raw(&rows[..3])).unwrap());
    assert_eq!(
        text, "0\n{\"$row\":{\"$count\":1}}\n{\"$row\":{\"$count\":2}}\n{\"$count\":3}\n",
        "others are written as they are"
    );
}

#[test]
fn an_array_is_not_escaped() {
    let (text, _) = read(respond(&JsonRows::array(), &get(), raw(&["{\"$count\":0}"])).unwrap());
    assert_eq!(text, "[{\"$count\":0}]");
}
