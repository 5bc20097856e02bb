//! The owner of a repository as GitHub shows it, made up from its login.

use serde_json::{Value, json};

use super::urls;
use crate::hash;

/// Returns the owner as part of a repository.
pub(super) fn owner(base: &str, login: &str) -> Value {
    let url = format!("{base}/users/{login}");
    let id = 1_000 + hash::mix(hash::fnv1a(login.to_ascii_lowercase().as_bytes())) % 90_000_000;
    let mut owner = json!({
        "login": login,
        "id": id,
        "node_id": format!("U_{id:x}"),
        "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"),
        "gravatar_id": "",
        "url": url,
        "html_url": format!("https://github.com/{login}"),
        "type": "Organization",
        "user_view_type": "public",
        "site_admin": false,
    });
    if let Value::Object(fields) = &mut owner {
        urls::add(fields, &url, &urls::OWNER);
    }
    owner
}
