//! Structured field values (RFC 9651), as far as rate-limit fields use them.
//!
//! A strict reader: a value that is wrong anywhere is refused whole. Every type is recognised,
//! because any of them may stand in a parameter of the server's own; only integers, strings and
//! tokens are told apart.

use crate::cursor::Cursor;

/// A bare item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bare<'a> {
    Integer(i64),
    /// What stands between the quotes, escapes included.
    String(&'a [u8]),
    Token(&'a [u8]),
    Other,
}

impl<'a> Bare<'a> {
    /// The value of an integer that is not negative.
    pub(crate) fn count(self) -> Option<u64> {
        match self {
            Self::Integer(number) => u64::try_from(number).ok(),
            _ => None,
        }
    }

    /// What a string or a token says.
    pub(crate) fn text(self) -> Option<&'a [u8]> {
        match self {
            Self::String(text) | Self::Token(text) => Some(text),
            _ => None,
        }
    }
}

/// A member of a list (`key` is `None`) or of a dictionary.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Bare<'a>,
    parameters: &'a [u8],
}

impl<'a> Member<'a> {
    /// Calls `each` for every parameter in order; of repeated ones the last counts.
    pub(crate) fn parameters(&self, each: impl FnMut(&'a [u8], Bare<'a>)) {
        // The text has been read once to find its end, so it cannot fail now.
        let _ = parameters(&mut Cursor::new(self.parameters), each);
    }
}

/// Calls `each` for every member of a list or dictionary of items; `None` if it is neither, or if
/// `each` returns `None`.
///
/// An empty line is an empty list. Inner lists have no meaning in rate-limit fields and are
/// refused.
pub(crate) fn members<'a>(
    line: &'a [u8],
    mut each: impl FnMut(Member<'a>) -> Option<()>,
) -> Option<()> {
    let mut cursor = Cursor::new(line.trim_ascii());
    if cursor.end().is_some() {
        return Some(());
    }
    loop {
        each(member(&mut cursor)?)?;
        cursor.take_while(is_white_space);
        if cursor.end().is_some() {
            return Some(());
        }
        cursor.literal(b",")?;
        cursor.take_while(is_white_space);
    }
}

fn member<'a>(cursor: &mut Cursor<'a>) -> Option<Member<'a>> {
    let mut ahead = *cursor;
    let key = key(&mut ahead).filter(|_| ahead.literal(b"=").is_some());
    if key.is_some() {
        *cursor = ahead;
    }
    let value = bare(cursor)?;
    let start = cursor.rest();
    parameters(cursor, |_, _| {})?;
    let length = start.len() - cursor.rest().len();
    Some(Member {
        key,
        value,
        parameters: start.get(..length)?,
    })
}

fn parameters<'a>(cursor: &mut Cursor<'a>, mut each: impl FnMut(&'a [u8], Bare<'a>)) -> Option<()> {
    while cursor.literal(b";").is_some() {
        cursor.take_while(|byte| byte == b' ');
        let key = key(cursor)?;
        let value = match cursor.literal(b"=") {
            Some(()) => bare(cursor)?,
            None => Bare::Other,
        };
        each(key, value);
    }
    Some(())
}

fn key<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    matches!(cursor.peek()?, b'a'..=b'z' | b'*').then_some(())?;
    Some(
        cursor.take_while(
            |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'*'),
        ),
    )
}

fn bare<'a>(cursor: &mut Cursor<'a>) -> Option<Bare<'a>> {
    match cursor.peek()? {
        b'-' | b'0'..=b'9' => number(cursor),
        b'"' => string(cursor).map(Bare::String),
        b'a'..=b'z' | b'A'..=b'Z' | b'*' => Some(Bare::Token(cursor.take_while(is_token))),
        b':' => {
            cursor.bump()?;
            cursor.take_while(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
            });
            cursor.literal(b":")?;
            Some(Bare::Other)
        }
        b'?' => {
            cursor.bump()?;
            matches!(cursor.bump()?, b'0' | b'1').then_some(Bare::Other)
        }
        b'@' => {
            cursor.bump()?;
            matches!(number(cursor)?, Bare::Integer(_)).then_some(Bare::Other)
        }
        b'%' => {
            cursor.bump()?;
            string(cursor).map(|_| Bare::Other)
        }
        _ => None,
    }
}

/// At most fifteen digits, or twelve, a point and three.
fn number<'a>(cursor: &mut Cursor<'a>) -> Option<Bare<'a>> {
    let sign = if cursor.literal(b"-").is_some() {
        -1
    } else {
        1
    };
    let digits = cursor.take_while(|byte| byte.is_ascii_digit());
    let decimal = cursor.literal(b".").is_some();
    let most = if decimal { 12 } else { 15 };
    (1..=most).contains(&digits.len()).then_some(())?;
    if decimal {
        let places = cursor.take_while(|byte| byte.is_ascii_digit());
        return (1..=3).contains(&places.len()).then_some(Bare::Other);
    }
    let number = digits
        .iter()
        .fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
    Some(Bare::Integer(sign * number))
}

fn string<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    cursor.literal(b"\"")?;
    let start = cursor.rest();
    let mut length = 0;
    loop {
        match cursor.bump()? {
            b'"' => return start.get(..length),
            b'\\' => {
                matches!(cursor.bump()?, b'"' | b'\\').then_some(())?;
                length += 2;
            }
            b' '..=b'~' => length += 1,
            _ => return None,
        }
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte)
}

fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn read(line: &str) -> Option<Vec<Member<'_>>> {
        let mut found = Vec::new();
        members(line.as_bytes(), |member| {
            found.push(member);
            Some(())
        })?;
        Some(found)
    }

    fn parameter<'a>(member: &Member<'a>, name: &str) -> Option<Bare<'a>> {
        let mut found = None;
        member.parameters(|key, value| {
            if key == name.as_bytes() {
                found = Some(value);
            }
        });
        found
    }

    #[test]
    fn items_have_values_and_parameters() {
        let list = read(r#""burst";q=100;w=60,	"daily" ;q=1"#);
        assert!(list.is_none(), "no white space before a semicolon");
        let list = read(r#""bu\"rst";q=100; w=60;q=7;flag;pk=:cHsdsRa894==:;v=?1;d=@1;f=-1.5;s=%"a%c3" , daily;q=0"#).unwrap();
        assert_eq!(list.len(), 2);
        assert_eq!(list[0].value, Bare::String(br#"bu\"rst"#));
        assert_eq!(
            parameter(&list[0], "q"),
            Some(Bare::Integer(7)),
            "the last one counts"
        );
        assert_eq!(parameter(&list[0], "w"), Some(Bare::Integer(60)));
        assert_eq!(parameter(&list[0], "flag"), Some(Bare::Other));
        assert_eq!(parameter(&list[0], "t"), None);
        assert_eq!(list[1].value, Bare::Token(b"daily"));
        assert_eq!(parameter(&list[1], "q"), Some(Bare::Integer(0)));
    }

    #[test]
    fn dictionaries_have_keys() {
        let dictionary = read("limit=100, remaining=50, reset=5;x=1").unwrap();
        let keys: Vec<_> = dictionary
            .iter()
            .map(|member| (member.key.unwrap(), member.value.count().unwrap()))
            .collect();
        assert_eq!(
            keys,
            [(&b"limit"[..], 100), (b"remaining", 50), (b"reset", 5)]
        );
    }

    #[test]
    fn lists_may_be_empty_but_not_torn() {
        assert_eq!(read("").unwrap().len(), 0);
        assert_eq!(read("  ").unwrap().len(), 0);
        for torn in [
            ",", "1,", ",1", "1,,2", "1 2", "1;", "1;=2", "1;Q=2", "1;q=", "1;q= 2", "(1 2)",
            "limit=",
        ] {
            assert!(read(torn).is_none(), "{torn:?}");
        }
    }

    #[test]
    fn wrong_items_are_refused() {
        let long = "9".repeat(16);
        for wrong in [
            "-",
            "+5",
            "1.",
            "1.2345",
            &long,
            "1234567890123.1",
            "\"open",
            "\"tab\tbed\"",
            r#""es\caped""#,
            "\"ü\"",
            ":open",
            ":a*b:",
            "?2",
            "?",
            "@",
            "@1.5",
            "%open",
            "=1",
            "\u{e9}",
            "\0",
        ] {
            assert!(read(wrong).is_none(), "{wrong:?}");
        }
        assert_eq!(
            read(&"9".repeat(15)).unwrap()[0].value,
            Bare::Integer(999_999_999_999_999)
        );
        assert_eq!(read("-5").unwrap()[0].value.count(), None);
    }
}
