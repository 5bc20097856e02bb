//! What a person is told on the way.

/// Writes a line to standard error, in the place of std's, which panics where nobody takes it: a disk that is full of the log, or
/// a reader that has gone, is no reason to end a scan or a server.
macro_rules! eprintln {
    ($($line:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($line)*);
    }};
}
