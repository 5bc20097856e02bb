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
