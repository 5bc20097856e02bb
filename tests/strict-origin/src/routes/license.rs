//! A license as GitHub shows it.

use serde_json::{Value, json};

use crate::hash;

/// Returns the license as GitHub shows the first one of an expression.
pub(super) fn license(expression: &str) -> Value {
    let first = expression.split(['/', ' ']).find(|part| !part.is_empty());
    let Some(spdx) = first else {
        return Value::Null;
    };
    let key = spdx.to_ascii_lowercase();
    let name = match spdx {
        "MIT" => "MIT License",
        "Apache-2.0" => "Apache License 2.0",
        "BSD-2-Clause" => "BSD 2-Clause \"Simplified\" License",
        "BSD-3-Clause" => "BSD 3-Clause \"New\" or \"Revised\" License",
        "ISC" => "ISC License",
        "MPL-2.0" => "Mozilla Public License 2.0",
        "Unlicense" => "The Unlicense",
        "Zlib" => "zlib License",
        other => other,
    };
    json!({
        "key": key,
        "name": name,
        "spdx_id": spdx,
        "url": format!("https://api.github.com/licenses/{key}"),
        "node_id": format!("L_{:x}", hash::fnv1a(key.as_bytes()) % 0xff_ffff),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_license_of_an_expression_counts() {
        assert_eq!(license("MIT OR Apache-2.0")["spdx_id"], "MIT");
        assert_eq!(license("Apache-2.0/MIT")["key"], "apache-2.0");
        assert_eq!(license("BSL-1.0")["name"], "BSL-1.0");
        assert_eq!(license(""), Value::Null);
    }
}
