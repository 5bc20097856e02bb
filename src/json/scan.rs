//! Where items begin and end.
//!
//! Enough of JSON's grammar to cut it: a comma or a bracket outside of strings, at the outermost level. Whether an item is JSON
//! is for whoever reads it to say; so nothing invalid passes, and nothing valid is cut wrongly.

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// An item of so many bytes, and one byte behind it that ends it.
    Item(usize),
    /// The item is not at its end.
    More,
    /// So many bytes that are of no item.
    Skip(usize),
    /// That is no array.
    Wrong,
}

/// Looks for the ends of items in a buffer that begins where the last one ended.
#[derive(Debug)]
pub(super) struct Scanner {
    state: State,
    /// How many bytes of the item were looked at.
    at: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the bracket that opens the array.
    Before,
    /// Where the first item would begin.
    First,
    /// In an item behind a comma, or in the first.
    Item,
    /// Behind the array.
    Behind,
    /// In a line.
    Line,
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

impl Scanner {
    const fn new(state: State) -> Self {
        Self {
            state,
            at: 0,
            depth: 0,
            in_string: false,
            escaped: false,
        }
    }

    /// Cuts the items of an array.
    pub(super) const fn array() -> Self {
        Self::new(State::Before)
    }

    /// Cuts lines.
    pub(super) const fn lines() -> Self {
        Self::new(State::Line)
    }

    /// Tells whether the JSON is whole where the body ends; what is left over of a line is its last item.
    pub(super) fn may_end(&self) -> bool {
        matches!(self.state, State::Behind | State::Line)
    }

    /// Goes on. An item or what is skipped has to be taken off the buffer before this is called again.
    pub(super) fn scan(&mut self, buffer: &[u8]) -> Found {
        match self.state {
            State::Line => self.line(buffer),
            State::Item => self.item(buffer),
            State::Before | State::First | State::Behind => {
                let spaces = buffer.iter().take_while(|byte| is_space(**byte)).count();
                if spaces > 0 {
                    return Found::Skip(spaces);
                }
                match (self.state, buffer.first()) {
                    (_, None) => Found::More,
                    (State::Before, Some(b'[')) => {
                        self.state = State::First;
                        Found::Skip(1)
                    }
                    (State::First, Some(b']')) => {
                        self.state = State::Behind;
                        Found::Skip(1)
                    }
                    (State::First, Some(_)) => {
                        self.state = State::Item;
                        self.item(buffer)
                    }
                    _ => Found::Wrong,
                }
            }
        }
    }

    fn line(&mut self, buffer: &[u8]) -> Found {
        let new = &buffer[self.at..];
        match new.iter().position(|byte| *byte == b'\n') {
            None => {
                self.at = buffer.len();
                Found::More
            }
            Some(length) => {
                let length = std::mem::take(&mut self.at) + length;
                if buffer[..length].iter().copied().all(is_space) {
                    Found::Skip(length + 1)
                } else {
                    Found::Item(length)
                }
            }
        }
    }

    fn item(&mut self, buffer: &[u8]) -> Found {
        for (at, &byte) in buffer.iter().enumerate().skip(self.at) {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'[' | b'{' => self.depth += 1,
                b',' | b']' if self.depth == 0 => {
                    self.at = 0;
                    if byte == b']' {
                        self.state = State::Behind;
                    }
                    return Found::Item(at);
                }
                // More than were opened is for whoever reads the item.
                b']' | b'}' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        self.at = buffer.len();
        Found::More
    }
}
