//! Works out what stands in the headers of the dashboard, so that it is always that of the page.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use std::{env, fs, path::Path};

const PAGES: [(&str, &str); 2] = [
    ("DASHBOARD", "assets/dashboard.html"),
    ("OPENAPI", "assets/openapi.json"),
];

const LIST: &str = "../data/repositories.tsv";

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo says where the crate is");
    println!("cargo::rerun-if-changed={LIST}");
    let list =
        fs::read_to_string(Path::new(&root).join(LIST)).expect("it is a part of the program");
    // The names are a tenth of it, and nothing else is used.
    let names = list
        .lines()
        .skip(1)
        .filter_map(|line| line.split('\t').next());
    let names = names.fold(String::new(), |names, name| names + name + "\n");
    let out = env::var("OUT_DIR").expect("cargo says where to write");
    fs::write(Path::new(&out).join("catalogue.txt"), names).expect("it can be written there");
    for (name, path) in PAGES {
        println!("cargo::rerun-if-changed={path}");
        let text =
            fs::read_to_string(Path::new(&root).join(path)).expect("it is a part of the crate");
        let text = served(&text);
        let file = Path::new(path).file_name().expect("it is a file");
        fs::write(Path::new(&out).join(file), &text).expect("it can be written there");
        println!("cargo::rustc-env={name}_ETAG=\"{}\"", &hash(&text)[..22]);
        if name == "DASHBOARD" {
            let (scripts, styles) = (sources(&text, "script"), sources(&text, "style"));
            println!(
                "cargo::rustc-env=DASHBOARD_POLICY=default-src 'none'; connect-src 'self'; img-src 'self' data:; \
                 script-src {scripts}; style-src {styles}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            );
        }
    }
}

/// A page as it is sent: without what is there for whoever reads its source. No text in it goes over several lines.
fn served(page: &str) -> String {
    let lines = page.lines().map(str::trim);
    let is_comment =
        |line: &&str| line.starts_with("//") || (line.starts_with("/*") && line.ends_with("*/"));
    let lines = lines.filter(|line| !line.is_empty() && !is_comment(line));
    // No text has that in it: what is in front of it would be cut.
    let lines = lines.map(|line| line.split(" // ").next().unwrap_or(line));
    lines.fold(String::new(), |page, line| page + line + "\n")
}

/// What a policy says of the page's own scripts, or styles: their hashes, and nothing else.
fn sources(page: &str, element: &str) -> String {
    let (open, close) = (format!("<{element}"), format!("</{element}>"));
    let inline = page.split(open.as_str()).skip(1).map(|after| {
        let (attributes, rest) = after.split_once('>').expect("a tag ends");
        assert!(
            !attributes.contains("src="),
            "the page takes nothing from elsewhere: <{element}{attributes}>"
        );
        let (text, _) = rest.split_once(close.as_str()).expect("an element ends");
        format!("'sha256-{}'", hash(text))
    });
    let inline: Vec<_> = inline.collect();
    match inline[..] {
        [] => "'none'".to_owned(),
        _ => inline.join(" "),
    }
}

fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text))
}
