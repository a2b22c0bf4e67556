//! The project's sources as the rules see them.

use phonehome_tests::golden::root;
use std::fs;
use std::path::{Path, PathBuf};

/// A Rust file of the project.
pub(super) struct Source {
    /// Below the root, with `/` between folders.
    pub(super) path: String,
    /// The folder of its crate: `agent`.
    pub(super) folder: String,
    /// The module it belongs to, as `lib.rs` lists it: `packet` for `packet/dns.rs`.
    pub(super) module: String,
    /// What the compiler sees when it is not testing, without comments.
    pub(super) code: String,
    /// All of it.
    pub(super) text: String,
}

/// Every Rust file of the project.
pub(super) fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    walk(&root(), &mut |path| {
        if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(path).expect("sources are text");
            sources.push(Source::of(relative(path), text));
        }
    });
    assert!(sources.len() > 100, "the tree was walked");
    sources
}

impl Source {
    fn of(path: String, text: String) -> Self {
        let parts: Vec<_> = path.split('/').collect();
        let folder = parts[0].to_owned();
        let module = match parts.as_slice() {
            [_, "src", file] => file.trim_end_matches(".rs").to_owned(),
            [_, "src", module, ..] => (*module).to_owned(),
            _ => String::new(),
        };
        let only_tests = ["/tests.rs", "/fixture.rs"]
            .iter()
            .any(|end| path.ends_with(end))
            || path.contains("/tests/");
        let code = if only_tests {
            String::new()
        } else {
            without_tests(&text)
        };
        Self {
            path,
            folder,
            module,
            code,
            text,
        }
    }
}

/// The text without comments and without what stands behind the first `#[cfg(test)]` module.
fn without_tests(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
    let code = text[..end]
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    code.fold(String::new(), |mut code, line| {
        code.push_str(line);
        code.push('\n');
        code
    })
}

/// The modules named as `crate::module`, and those in `use crate::{a, b}`.
pub(super) fn crate_paths(code: &str) -> impl Iterator<Item = String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        // `$crate` is a macro's word for the same thing; `pub(crate)` never has colons.
        let rest = &code[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut fresh = true;
            for (at, letter) in list.char_indices() {
                match letter {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => fresh = true,
                    letter if letter.is_whitespace() => {}
                    _ if fresh && depth == 0 => {
                        names.push(word(&list[at..]));
                        fresh = false;
                    }
                    _ => {}
                }
            }
        } else {
            names.push(word(rest));
        }
    }
    // Items of the crate's root, such as a constant, are no modules.
    names
        .into_iter()
        .filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
}

fn word(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect()
}

pub(super) fn walk(folder: &Path, visit: &mut impl FnMut(&Path)) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().expect("a name").to_string_lossy();
        if path.is_dir() {
            if !matches!(name.as_ref(), ".git" | "target" | "artifacts" | "corpus") {
                walk(&path, visit);
            }
        } else {
            visit(&path);
        }
    }
}

pub(super) fn relative(path: &Path) -> String {
    let path = path.strip_prefix(root()).expect("below the root");
    path.to_string_lossy().replace('\\', "/")
}
