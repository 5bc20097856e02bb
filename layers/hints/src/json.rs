//! Finds the strings of a JSON text that may be cut off anywhere.

/// A key, or `None` for an element of an array.
pub(crate) type Step<'a> = Option<&'a [u8]>;

/// Deeper strings are passed over.
const DEPTH: usize = 8;

/// Whether the text is an object or an array, to go by its first character.
pub(crate) fn looks_like_json(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Calls `each` with the path and the raw content of every complete string value.
///
/// It follows quotes, escapes, braces and commas and judges nothing else. What stands inside a
/// string, such as JSON quoted in a message, is not looked into.
pub(crate) fn strings<'a>(json: &'a [u8], mut each: impl FnMut(&[Step<'a>], &'a [u8])) {
    let mut path: [Step<'a>; DEPTH] = [None; DEPTH];
    let mut objects = [false; DEPTH];
    let mut depth = 0_usize;
    let mut key_is_next = false;
    let mut rest = json;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'{' | b'[' => {
                key_is_next = byte == b'{';
                if let (Some(object), Some(step)) = (objects.get_mut(depth), path.get_mut(depth)) {
                    *object = key_is_next;
                    *step = None;
                }
                depth += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                key_is_next = false;
            }
            b',' => {
                key_is_next = depth
                    .checked_sub(1)
                    .and_then(|top| objects.get(top))
                    .is_some_and(|&object| object)
            }
            b'"' => {
                let Some((text, tail)) = string(tail) else {
                    return;
                };
                rest = tail;
                let Some(top) = depth.checked_sub(1).and_then(|top| path.get_mut(top)) else {
                    continue;
                };
                if key_is_next {
                    *top = Some(text);
                    key_is_next = false;
                } else if let Some(path) = path.get(..depth) {
                    each(path, text);
                }
            }
            _ => {}
        }
    }
}

/// The text up to the closing quote, and what follows it.
fn string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut escaped = false;
    let end = text.iter().position(|&byte| {
        let closing = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closing
    })?;
    let (content, rest) = text.split_at(end);
    Some((content, rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn found(json: &str) -> Vec<String> {
        let mut found = Vec::new();
        strings(json.as_bytes(), |path, text| {
            let path: Vec<_> = path
                .iter()
                .map(|step| step.map_or("[]".into(), String::from_utf8_lossy))
                .collect();
            found.push(format!(
                "{}={}",
                path.join("."),
                String::from_utf8_lossy(text)
            ));
        });
        found
    }

    #[test]
    fn every_string_has_its_path() {
        let json = r#"{"a": "1", "b": {"c": ["2", {"d": "3"}, 4, null], "e": true}, "f": "5"}"#;
        assert_eq!(found(json), ["a=1", "b.c.[]=2", "b.c.[].d=3", "f=5"]);
        assert_eq!(found(r#"[{"a":"1"},"2"]"#), ["[].a=1", "[]=2"]);
    }

    #[test]
    fn quoted_json_is_only_text() {
        let json = r#"{"message": "he said {\"error\": \"x\"}, \\", "b": "2"}"#;
        assert_eq!(
            found(json),
            [r#"message=he said {\"error\": \"x\"}, \\"#, "b=2"]
        );
    }

    #[test]
    fn a_cut_text_gives_what_is_complete() {
        let json = r#"{"a": "1", "b": {"c": "2"}, "d": "3"}"#;
        assert_eq!(found(&json[..json.len() - 3]), ["a=1", "b.c=2"]);
        for end in 0..json.len() {
            found(&json[..end]);
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!("{}\"x\"{}, \"y\"]", "[".repeat(100_000), "]".repeat(99_999));
        assert_eq!(found(&deep), ["[]=y"]);
        assert_eq!(
            found(&format!("{}{{\"a\":\"x\"}}", "[".repeat(7))),
            ["[].[].[].[].[].[].[].a=x"]
        );
        assert_eq!(
            found(&format!("{}{{\"a\":\"x\"}}", "[".repeat(8))),
            Vec::<String>::new()
        );
    }

    #[test]
    fn nonsense_does_not_harm() {
        for nonsense in [
            "",
            "}}}}",
            "]]",
            "\"",
            "\\\"",
            "{\"",
            "{\"a\"",
            "{\"a\":",
            "{,\"a\":\"b\"}",
            "\0{\"a\"\0:\"b\"}",
            "{{{\"a\"}}}:",
        ] {
            found(nonsense);
        }
    }
}
