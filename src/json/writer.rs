//! Rows as bytes.

use super::{NDJSON_COUNT, NDJSON_ROW, RowError, record};
use bytes::Bytes;
use serde::Serialize;

/// A buffer that was larger is not used again.
const LARGE: usize = 64 * 1024;

/// How rows are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Format {
    Array,
    Ndjson,
}

/// Writes rows one behind the other, and counts them.
#[derive(Debug)]
pub(super) struct Writer {
    format: Format,
    /// Of the type that all JSON is written to here: for another one, all of serde_json's writer would be there once more.
    buffer: Vec<u8>,
    rows: u64,
}

impl Writer {
    pub(super) const fn new(format: Format) -> Self {
        Self {
            format,
            buffer: Vec::new(),
            rows: 0,
        }
    }

    /// Writes a row as a whole, or nothing.
    pub(super) fn write<T: Serialize, E>(&mut self, row: &T) -> Result<(), RowError<E>> {
        let start = self.buffer.len();
        if self.format == Format::Array {
            self.buffer.push(if self.rows == 0 { b'[' } else { b',' });
        }
        let written = serde_json::to_writer(&mut self.buffer, row);
        if let Err(error) = written {
            self.buffer.truncate(start);
            return Err(RowError::Serialize {
                row: self.rows,
                error,
            });
        }
        if self.format == Format::Ndjson {
            self.end_line(start);
        }
        self.rows += 1;
        Ok(())
    }

    /// Makes a line of what was written from there on, that is one row for whoever reads it.
    fn end_line(&mut self, start: usize) {
        let row = &mut self.buffer[start..];
        // Of all bytes, without an early end: that is done many at a time.
        if (row.iter()).fold(false, |is_one, byte| is_one | ends_a_line(*byte)) {
            // A raw value may be spread over several lines; in JSON a line can only end between tokens.
            row.iter_mut()
                .filter(|byte| ends_a_line(**byte))
                .for_each(|byte| *byte = b' ');
        }
        let row = &self.buffer[start..];
        if record::count_of(row).is_some() || record::holds_a_row(row) {
            let row = self.buffer.split_off(start);
            let opening = format!("{{\"{NDJSON_ROW}\":");
            self.buffer.extend_from_slice(opening.as_bytes());
            self.buffer.extend_from_slice(&row);
            self.buffer.push(b'}');
        }
        self.buffer.push(b'\n');
    }

    /// Writes what comes behind the last row.
    pub(super) fn end(&mut self) {
        match self.format {
            Format::Array if self.rows == 0 => self.buffer.extend_from_slice(b"[]"),
            Format::Array => self.buffer.push(b']'),
            Format::Ndjson => {
                let count = format!("{{\"{NDJSON_COUNT}\":{}}}\n", self.rows);
                self.buffer.extend_from_slice(count.as_bytes());
            }
        }
    }

    pub(super) const fn rows(&self) -> u64 {
        self.rows
    }

    /// How many bytes were written and not taken.
    pub(super) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Takes what was written.
    pub(super) fn take(&mut self) -> Bytes {
        if self.buffer.len() > LARGE {
            // What one large row took would be kept for all that follow.
            return std::mem::take(&mut self.buffer).into();
        }
        let taken = Bytes::copy_from_slice(&self.buffer);
        self.buffer.clear();
        taken
    }
}

const fn ends_a_line(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}
