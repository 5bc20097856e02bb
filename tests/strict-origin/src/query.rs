//! The query of a URL, decoded.

/// Returns the value of the first `key` in a query, with `+` and percent-encoding decoded.
pub(crate) fn value(query: Option<&str>, key: &str) -> Option<String> {
    query?
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .find(|(name, _)| decode(name) == key)
        .map(|(_, value)| decode(value))
}

/// Returns the value of the first `key` that is a number.
pub(crate) fn number(query: Option<&str>, key: &str) -> Option<u64> {
    value(query, key)?.parse().ok()
}

/// Encodes what is not unreserved, for a value inside a query.
pub(crate) fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

/// Decodes; what is no valid encoding stays as it is, what is no UTF-8 becomes U+FFFD.
pub(crate) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = match (byte, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match hex {
            Some((high, low)) => {
                bytes.push(high * 16 + low);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(if byte == b'+' { b' ' } else { byte });
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded() {
        let query = Some("q=tower+language%3Arust&per_page=5&page=x&bare&%71x=%zz%4");
        assert_eq!(value(query, "q").as_deref(), Some("tower language:rust"));
        assert_eq!(number(query, "per_page"), Some(5));
        assert_eq!(number(query, "page"), None);
        assert_eq!(value(query, "bare").as_deref(), Some(""));
        assert_eq!(value(query, "qx").as_deref(), Some("%zz%4"));
        assert_eq!(value(None, "q"), None);
    }

    #[test]
    fn encoding_reads_back() {
        let text = "a b+c:d/ü%";
        assert_eq!(decode(&encode(text)), text);
    }
}
