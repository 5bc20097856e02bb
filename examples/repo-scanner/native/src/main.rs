//! native
fn main() {}
