use super::*;
use crate::json::{NDJSON_COUNT, NDJSON_ROW};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use http_body::Frame;
use http_body_util::StreamBody;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use std::sync::Arc;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A body that comes in pieces of so many bytes, and fails at its end or not.
fn pieces(text: &[u8], size: usize, fails: bool) -> impl Body<Data = Bytes, Error = BoxError> {
    let frames: Vec<_> = text
        .chunks(size)
        .map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece))))
        .chain(fails.then(|| Err("lost".into())))
        .collect();
    StreamBody::new(stream::iter(frames))
}

fn read<B, T>(items: JsonItems<B, T>) -> (Vec<T>, Vec<String>)
where
    B: Body,
    B::Error: Into<BoxError>,
    T: DeserializeOwned,
{
    let mut items = Box::pin(items);
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    while let Some(item) = items.next().now_or_never().expect("it does not wait") {
        match item {
            Ok(item) => good.push(item),
            Err(error) => {
                let is_final = error.is_final();
                bad.push(error.to_string());
                if is_final {
                    assert!(items.next().now_or_never().unwrap().is_none());
                    assert!(items.is_terminated());
                }
            }
        }
    }
    (good, bad)
}

fn array(text: &str) -> (Vec<Value>, Vec<String>) {
    read(JsonItems::array(text.to_owned()))
}

fn lines(text: &str) -> (Vec<Value>, Vec<String>) {
    read(JsonItems::ndjson(text.to_owned()))
}

fn counted(text: &str) -> (Vec<Value>, Vec<String>) {
    read(JsonItems::counted(text.to_owned()))
}

#[test]
fn items_are_cut_wherever_the_body_is() {
    let text = r#" [ {"a]": [1, "\"]\\", {}]} , [] ,null,"é,[" , -1.5e3, "" ] "#;
    let expected: Vec<Value> = serde_json::from_str(text).unwrap();
    for size in 1..=text.len() {
        let (good, bad) = read(JsonItems::array(pieces(text.as_bytes(), size, false)));
        assert_eq!((good, bad), (expected.clone(), vec![]), "pieces of {size}");
    }
    let text = "{\"a\": 1}\r\n\n  \n[\"\\n\"]\n7";
    for size in 1..=text.len() {
        let (good, bad) = read(JsonItems::<_, Value>::ndjson(pieces(
            text.as_bytes(),
            size,
            false,
        )));
        assert_eq!(good, [json!({"a": 1}), json!(["\n"]), json!(7)]);
        assert_eq!(bad, [""; 0]);
    }
}

#[test]
fn nothing_is_an_array_without_items() {
    for text in ["[]", " [ \n ] "] {
        assert_eq!(array(text), (vec![], vec![]));
    }
    assert_eq!(lines(""), (vec![], vec![]));
    assert_eq!(lines("\n \n"), (vec![], vec![]));
}

#[test]
fn what_is_not_whole_is_an_error() {
    for text in ["", " ", "[", "[1", "[1,", "[1, {\"a\": [", "[\"]"] {
        let (_, bad) = array(text);
        assert_eq!(bad.len(), 1, "{text}");
        assert!(bad[0].contains("is not whole"), "{text}: {bad:?}");
    }
    let (good, bad) = lines("1\n{\"a\":");
    assert_eq!((good.len(), bad.len()), (1, 1), "{bad:?}");
    let (good, bad) = read(JsonItems::<_, u64>::array(pieces(b"[1, 2, 3", 2, true)));
    assert_eq!(good, [1, 2], "3 may be 30");
    assert_eq!(bad, ["the body broke off after 2 items"]);
}

#[test]
fn what_is_not_json_is_an_error() {
    for text in [
        "{}",
        "1",
        "[1 2]",
        "[,]",
        "[1,]",
        "[,1]",
        "[1,,2]",
        "[1]]",
        "[1] x",
        "[}]",
        "[{]}]",
        "[1}",
        "[nul]",
        "x[1]",
        "[01]",
        "[\"\u{1}\"]",
    ] {
        assert!(serde_json::from_str::<Value>(text).is_err() || !text.starts_with('['));
        let (_, bad) = array(text);
        assert_eq!(bad.len(), 1, "{text}: {bad:?}");
    }
    assert_eq!(
        read(JsonItems::<_, Value>::array(pieces(
            b"[\"\xff\"]",
            9,
            false
        )))
        .1
        .len(),
        1
    );
    assert_eq!(lines("1\nx\n2").1, ["what comes after 1 items is not JSON"]);
}

#[test]
fn an_item_of_another_shape_is_passed_over_and_not_told() {
    let body = String::from("[1, \"secret\", 3, {\"secret\": [1, 2]}, 5]");
    let (good, bad) = read(JsonItems::<_, u64>::array(body));
    assert_eq!(good, [1, 3, 5]);
    assert_eq!(
        bad,
        [
            "the item after 1 others is another",
            "the item after 3 others is another"
        ]
    );
    // serde stops reading before it sees that.
    let (good, bad) = read(JsonItems::<_, u64>::array(String::from("[{\"a\" 1}, 2]")));
    assert_eq!((good, bad.len()), (vec![], 1));
    assert!(bad[0].contains("not JSON"), "{bad:?}");
}

/// As JavaScript writes a text that was cut within an emoji.
#[test]
fn json_that_rust_has_no_form_for_ends_nothing() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for odd in ["\"\\ud83d\"", "{\"name\": \"\\ud83d\"}", "1e999", &deep] {
        for (good, bad) in [
            array(&format!("[1, {odd}, 3]")),
            lines(&format!("1\n{odd}\n3\n")),
            counted(&format!("1\n{odd}\n3\n{{\"$count\":3}}\n")),
            counted(&format!("1\n{{\"$row\":{odd}}}\n3\n{{\"$count\":3}}\n")),
        ] {
            assert_eq!(good, [json!(1), json!(3)], "{odd}");
            assert_eq!(bad, ["the item after 1 others is another"], "{odd}");
        }
    }
    let text = b"[1, {\"a\": \"\xff\"}, 3]";
    let (good, bad) = read(JsonItems::<_, u64>::array(pieces(text, 9, false)));
    assert_eq!((good, bad.len()), (vec![1], 1));
    assert!(bad[0].contains("not JSON"), "{bad:?}");
}

#[test]
fn an_item_has_a_bound() {
    for (text, fits) in [
        ("[\"12345678\"]", true),
        ("[\"123456789\"]", false),
        ("[1, 2, \"123456789", false),
        ("[           1]", true),
        ("[1,           2]", false),
    ] {
        for size in [1, 5, 100] {
            let body = pieces(text.as_bytes(), size, false);
            let (_, bad) = read(JsonItems::<_, Value>::array(body).with_max_item(10));
            assert_eq!(bad.is_empty(), fits, "{text} in {size}: {bad:?}");
            assert!(fits || bad[0].contains("larger than 10 bytes"), "{bad:?}");
        }
    }
    let endless = pieces(&[b'x'; 5000], 100, false);
    let mut items = Box::pin(JsonItems::<_, Value>::ndjson(endless).with_max_item(1000));
    let error = items.next().now_or_never().unwrap().unwrap().unwrap_err();
    assert!(matches!(
        error,
        ItemError::TooLarge {
            items: 0,
            limit: 1000
        }
    ));
    assert!(items.buffer.len() <= 1100, "no more is held than that");
}

#[test]
fn the_record_that_counts_is_checked() {
    let end = format!("{{\"{NDJSON_COUNT}\":2}}\n");
    assert_eq!(
        counted(&format!("1\n2\n{end}")),
        (vec![json!(1), json!(2)], vec![])
    );
    assert_eq!(counted(&format!("1\n2\n{}", end.trim())).1, [""; 0]);
    for (text, error) in [
        (
            "1\n2\n".to_owned(),
            "the body ends after 2 items, and is not whole",
        ),
        (
            String::new(),
            "the body ends after 0 items, and is not whole",
        ),
        (format!("1\n{end}"), "1 items came, of 2"),
        (
            format!("1\n2\n{end}3\n"),
            "what comes after 2 items is not JSON",
        ),
        (
            format!("1\n2\n{end}{end}"),
            "what comes after 2 items is not JSON",
        ),
    ] {
        assert_eq!(counted(&text).1, [error], "{text}");
    }
    for row in [
        "{\"$count\":\"2\"}",
        "{\"$count\":2,\"a\":1}",
        "{\"a\":1,\"$count\":2}",
        "[2]",
    ] {
        let (good, bad) = counted(&format!("{row}\n{{\"$count\":1}}"));
        assert_eq!((good.len(), bad), (1, vec![]), "{row} is a row");
    }
    assert_eq!(
        lines(&format!("1\n{end}")).0.len(),
        2,
        "a row like others unless it is wanted"
    );
}

/// Whatever the bytes, the items are those that serde_json reads, or there is an error.
#[test]
fn nothing_else_is_read_than_serde_json_would() {
    let alphabet = b"[]{},:\"\\ 1eau\xc3\xa9\n-.";
    let mut state = 1_u32;
    let mut random = |n: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        usize::try_from(state >> 8).unwrap() % n
    };
    let mut valid = 0;
    for round in 0..20_000 {
        let mut text = if round % 2 == 0 {
            br#"[{"a":[1,"\\]"]},[],"\"",{}, 1]"#.to_vec()
        } else {
            b"[[1],2]".to_vec()
        };
        for _ in 0..random(4) {
            let (at, byte) = (random(text.len()), alphabet[random(alphabet.len())]);
            match random(3) {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                _ => drop(text.remove(at)),
            }
        }
        let expected = serde_json::from_slice::<Vec<Value>>(&text);
        let size = 1 + random(text.len().max(1));
        let (good, bad) = read(JsonItems::array(pieces(&text, size, false)));
        match expected {
            Ok(expected) => {
                valid += 1;
                assert_eq!((good, bad), (expected, vec![]), "{}", text.escape_ascii());
            }
            Err(_) => assert_eq!(bad.len(), 1, "{}", text.escape_ascii()),
        }
    }
    assert!(valid > 5000, "{valid}");
}

#[test]
fn the_bound_is_as_documented() {
    assert_eq!(JsonItems::<_, u64>::array(String::new()).max_item, 1 << 20);
}

/// A body of frames that are all there, and a guard that says whether it is held.
fn held(frames: Vec<&'static [u8]>) -> (impl Body<Data = Bytes, Error = BoxError>, Arc<()>) {
    let alive = Arc::new(());
    let guard = Arc::clone(&alive);
    let frames = stream::iter(frames).map(move |frame| {
        let _ = &guard;
        Ok(Frame::data(Bytes::from_static(frame)))
    });
    (StreamBody::new(frames), alive)
}

#[test]
fn what_ends_is_no_longer_held() {
    for frames in [
        vec![&b"[1"[..], b"]"],
        vec![b"[1 x]", b"more"],
        vec![b"[1", b"111111111111111111"],
    ] {
        let (body, alive) = held(frames);
        let mut items = Box::pin(JsonItems::<_, u64>::array(body).with_max_item(9));
        assert_eq!(Arc::strong_count(&alive), 2);
        while items
            .next()
            .now_or_never()
            .unwrap()
            .is_some_and(|item| item.is_ok())
        {}
        let _ = items.next().now_or_never();
        assert_eq!(Arc::strong_count(&alive), 1, "a body holds a connection");
    }
}

/// Nothing comes of it, and it is always ready.
#[test]
fn an_endless_flood_of_nothing_lets_others_have_their_turn() {
    for frame in [&b""[..], b"  \n"] {
        let flood = StreamBody::new(stream::repeat_with(|| {
            Ok::<_, BoxError>(Frame::data(Bytes::from_static(frame)))
        }));
        let mut items = tokio_test::task::spawn(JsonItems::<_, u64>::ndjson(flood));
        for _ in 0..3 {
            assert!(items.poll_next().is_pending());
            assert!(items.is_woken(), "it goes on");
        }
        assert!(items.buffer.len() <= frame.len());
    }
}

#[test]
fn a_part_of_a_line_is_no_item_where_a_record_is_to_follow() {
    let whole = format!("1\n2\n345\n{{\"{NDJSON_COUNT}\":3}}\n");
    for cut in 0..whole.len() - 1 {
        let (good, bad) = counted(&whole[..cut]);
        let expected: Vec<_> = [1, 2, 345].map(|n| json!(n)).into();
        assert!(expected.starts_with(&good), "{good:?} after {cut} bytes");
        assert_eq!(bad.len(), 1, "{bad:?} after {cut} bytes");
    }
}

#[test]
fn the_bound_is_on_items_and_not_on_the_record() {
    let body = format!("12\n{{\"{NDJSON_COUNT}\":1}}\n");
    let items = JsonItems::<_, u64>::counted(body).with_max_item(2);
    assert_eq!(read(items), (vec![12], vec![]));
    let row = format!("{{\"{NDJSON_COUNT}\":7}}");
    let body = format!("{{\"{NDJSON_ROW}\":{row}}}\n{{\"{NDJSON_COUNT}\":1}}");
    for (limit, fits) in [(row.len(), true), (1, true)] {
        let items = JsonItems::<_, Value>::counted(body.clone()).with_max_item(limit);
        assert_eq!(read(items).1.is_empty(), fits);
    }
    let long = format!("{}\n", "1".repeat(70));
    let items = JsonItems::<_, f64>::counted(long).with_max_item(69);
    assert!(read(items).1[0].contains("larger than 69 bytes"));
}

/// What looks odd, and what becomes of it.
#[test]
fn oddities() {
    for (text, error) in [
        ("\u{feff}[1]", "what comes after 0 items is not JSON"),
        ("[\"\\ud800\"]", "the item after 0 others is another"),
        (
            "[1, \"\\u12",
            "the body ends after 1 items, and is not whole",
        ),
        ("[1e999]", "the item after 0 others is another"),
        ("[1]\u{0}", "what comes after 1 items is not JSON"),
    ] {
        for size in 1..5 {
            let (_, bad) = read(JsonItems::<_, Value>::array(pieces(
                text.as_bytes(),
                size,
                false,
            )));
            assert_eq!(bad, [error], "{text:?}");
        }
    }
    let deep = |n: usize| format!("[{}{}]", "[".repeat(n), "]".repeat(n));
    assert_eq!(array(&deep(126)).1, [""; 0]);
    assert_eq!(array(&deep(200)).1.len(), 1, "serde_json's own limit");
    let (good, bad) = read(JsonItems::<_, IgnoredAny>::array(deep(100_000)));
    assert_eq!((good.len(), bad.len()), (1, 0), "no stack is used up");
    let (good, bad) = lines("{\"a\":1}\r\n\r\n \r\n[2]\r\n");
    assert_eq!((good.len(), bad), (2, vec![]));
    // An escape, a pair of surrogates and an umlaut, cut anywhere.
    let text = "[\"\\ud83d\\ude00 \\\\ \\\" é\", -12.5e-3]";
    let expected: Vec<Value> = serde_json::from_str(text).unwrap();
    for size in 1..text.len() {
        let items = JsonItems::array(pieces(text.as_bytes(), size, false));
        assert_eq!(read(items), (expected.clone(), vec![]));
    }
}
