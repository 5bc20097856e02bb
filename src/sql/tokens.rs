//! SQL cut into tokens, by the rules of SQLite's own tokenizer.

/// The tokens of a text of SQL: put together again they are the text.
///
/// Enough to find placeholders, keywords and the ends of statements without being misled by strings, quoted names and
/// comments; it knows no grammar. What is not terminated extends to the end.
///
/// ```
/// use tower_egress::sql::{TokenKind, Tokens};
///
/// let tokens = Tokens::new("SELECT '?' -- ?\n FROM a WHERE b = ?");
/// let placeholders = tokens.filter(|token| token.kind == TokenKind::Placeholder);
/// assert_eq!(placeholders.count(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct Tokens<'a>(&'a str);

/// A token.
///
/// ```
/// use tower_egress::sql::{Token, TokenKind, Tokens};
///
/// let Some(Token { kind, text, .. }) = Tokens::new("SELECT 1").next() else { panic!("there is one") };
/// assert_eq!((kind, text), (TokenKind::Word, "SELECT"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Token<'a> {
    /// What it is.
    pub kind: TokenKind,
    /// Its text.
    pub text: &'a str,
}

/// What a token is.
///
/// ```
/// use tower_egress::sql::{TokenKind, Tokens};
///
/// let kinds: Vec<_> = Tokens::new("a=?1;").map(|token| token.kind).collect();
/// assert_eq!(kinds, [TokenKind::Word, TokenKind::Other, TokenKind::Placeholder, TokenKind::Semicolon]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenKind {
    /// White space or a comment.
    Space,
    /// A keyword, or a name without quotes.
    Word,
    /// A number.
    Number,
    /// A string, or a name in one of three kinds of quotes.
    Quoted,
    /// `?`, or `?` and a number.
    Placeholder,
    /// `:name`, `@name` or `$name`.
    NamedPlaceholder,
    /// `;`
    Semicolon,
    /// Anything else: an operator, a parenthesis, a comma.
    Other,
}

impl<'a> Tokens<'a> {
    /// Starts at the beginning of a text.
    pub const fn new(sql: &'a str) -> Self {
        Self(sql)
    }
}

/// What SQLite takes as a part of a name.
fn in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '$') || !c.is_ascii()
}

/// Returns how long the beginning is of which `of` holds.
fn span(text: &str, of: impl Fn(char) -> bool) -> usize {
    text.find(|c| !of(c)).unwrap_or(text.len())
}

/// Returns where `end` ends after its first `from` bytes.
fn until(text: &str, from: usize, end: &str) -> usize {
    text[from..]
        .find(end)
        .map_or(text.len(), |at| from + at + end.len())
}

/// Returns how long a quoted text is; a quote in it is written twice.
fn quoted(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == quote && chars.next_if(|&(_, next)| next == quote).is_none() {
            return at + 1;
        }
    }
    text.len()
}

fn measure(text: &str, first: char) -> (TokenKind, usize) {
    let rest = &text[first.len_utf8()..];
    match first {
        ' ' | '\t' | '\n' | '\x0c' | '\r' | '\u{feff}' => (TokenKind::Space, first.len_utf8()),
        '-' if rest.starts_with('-') => (TokenKind::Space, until(text, 2, "\n")),
        '/' if rest.starts_with('*') => (TokenKind::Space, until(text, 2, "*/")),
        '\'' | '"' | '`' => (TokenKind::Quoted, quoted(text, first)),
        '[' => (TokenKind::Quoted, until(text, 1, "]")),
        '?' => (
            TokenKind::Placeholder,
            1 + span(rest, |c| c.is_ascii_digit()),
        ),
        ':' | '@' | '$' if rest.starts_with(in_name) => {
            (TokenKind::NamedPlaceholder, 1 + span(rest, in_name))
        }
        ';' => (TokenKind::Semicolon, 1),
        '0'..='9' => (TokenKind::Number, span(text, |c| in_name(c) || c == '.')),
        _ if in_name(first) => (TokenKind::Word, span(text, in_name)),
        _ => (TokenKind::Other, first.len_utf8()),
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let (kind, length) = measure(self.0, self.0.chars().next()?);
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(Token { kind, text })
    }
}

#[cfg(test)]
mod tests {
    use super::{TokenKind::*, *};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn tokens(sql: &str) -> Vec<(TokenKind, &str)> {
        Tokens::new(sql)
            .map(|token| (token.kind, token.text))
            .filter(|&(kind, _)| kind != Space)
            .collect()
    }

    #[test]
    fn a_question_mark_is_found_only_where_it_is_a_placeholder() {
        let sql = "SELECT '?''?', \"a?\"\"?\", `?`, [?], x'3F', ?, ?12,-- ?\n?/* ? '*/||?3 /?4";
        let found: Vec<_> = Tokens::new(sql)
            .filter(|token| token.kind == Placeholder)
            .map(|token| token.text)
            .collect();
        assert_eq!(found, ["?", "?12", "?", "?3", "?4"]);
    }

    #[test]
    fn tokens_are_what_sqlite_takes_them_for() {
        for (sql, expected) in [
            ("a$b", vec![(Word, "a$b")]),
            ("a?1b", vec![(Word, "a"), (Placeholder, "?1"), (Word, "b")]),
            (":a", vec![(NamedPlaceholder, ":a")]),
            (
                "$1@é;",
                vec![
                    (NamedPlaceholder, "$1"),
                    (NamedPlaceholder, "@é"),
                    (Semicolon, ";"),
                ],
            ),
            ("1.5e3", vec![(Number, "1.5e3")]),
            ("ü-1", vec![(Word, "ü"), (Other, "-"), (Number, "1")]),
            ("'a''", vec![(Quoted, "'a''")]),
            ("''''?", vec![(Quoted, "''''"), (Placeholder, "?")]),
            ("[a]]", vec![(Quoted, "[a]"), (Other, "]")]),
            ("/*/ ?", vec![]),
            ("/**/?", vec![(Placeholder, "?")]),
            ("-- ?", vec![]),
            ("\u{feff}a", vec![(Word, "a")]),
            ("'ü?", vec![(Quoted, "'ü?")]),
        ] {
            assert_eq!(tokens(sql), expected, "{sql}");
        }
    }

    #[test]
    fn nothing_is_lost_whatever_the_text() {
        let alphabet = [
            "'", "\"", "[", "]", "`", "?", "1", "-", "/", "*", "\n", "é", ":", "a", ";", "\0",
        ];
        let mut state = 1_u32;
        for _ in 0..5_000 {
            let sql: String = (0..12)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    alphabet[usize::try_from(state >> 28).unwrap()]
                })
                .collect();
            let again: String = Tokens::new(&sql).map(|token| token.text).collect();
            assert_eq!(again, sql);
        }
    }
}
