//! The order of the layers: a module of `src` names modules of lower layers only.
//!
//! The table is read from the documentation of `src/lib.rs`, so that what is written there is what
//! holds. Every `crate::…` path counts, not only those in `use` lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::sources::{files, rust_files};

/// The modules of the table in `src/lib.rs`, each with its layer.
fn table(lib: &str) -> BTreeMap<String, u32> {
    let mut layers = BTreeMap::new();
    for line in lib.lines().filter_map(|line| line.strip_prefix("//! |")) {
        let mut cells = line.split('|').map(str::trim);
        let Some(Ok(layer)) = cells.next().map(str::parse) else {
            continue;
        };
        let modules = cells.next().unwrap_or_default();
        for module in modules.split(',') {
            layers.insert(module.trim_matches([' ', '`', '[', ']']).to_owned(), layer);
        }
    }
    layers
}

/// `text` without line comments. A `//` inside a string literal is cut too, which only loses text
/// that is no path.
fn without_comments(text: &str) -> String {
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The first names of a path's tail: `engine::Queue` gives `engine`, `{engine::A, ids}` both.
fn first_names(tail: &str) -> Vec<String> {
    let tail = tail.trim_start();
    let Some(group) = tail.strip_prefix('{') else {
        let name: String = tail
            .chars()
            .take_while(|character| character.is_alphanumeric() || *character == '_')
            .collect();
        return vec![name];
    };
    let mut names = Vec::new();
    let mut depth = 0_u32;
    let mut item = String::new();
    for character in group.chars() {
        match character {
            '}' if depth == 0 => break,
            ',' if depth == 0 => names.extend(first_names(&std::mem::take(&mut item))),
            _ => {
                match character {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                item.push(character);
            }
        }
    }
    names.extend(first_names(&item));
    names.retain(|name| !name.is_empty());
    names
}

/// The top modules of the crate that `text` names.
fn named(text: &str) -> BTreeSet<String> {
    let text = without_comments(text);
    text.match_indices("crate::")
        .filter(|(at, _)| !text[..*at].ends_with(['$', '_']))
        .flat_map(|(at, found)| first_names(&text[at + found.len()..]))
        .collect()
}

/// Where `text`, a part of `module`, breaks the order.
fn breaches(layers: &BTreeMap<String, u32>, module: &str, text: &str) -> Vec<String> {
    let Some(own) = layers.get(module) else {
        return vec![format!(
            "module {module} is missing in the table of src/lib.rs"
        )];
    };
    let mut found: Vec<String> = named(text)
        .into_iter()
        .filter(|name| name != module)
        .filter_map(|name| match layers.get(&name) {
            None => Some(format!(
                "names crate::{name}, which the table of src/lib.rs does not hold"
            )),
            Some(other) if other >= own => {
                Some(format!("layer {own} names crate::{name} of layer {other}"))
            }
            Some(_) => None,
        })
        .collect();
    // `super::super` can leave a module without naming the one that it reaches.
    if without_comments(text).contains("super::super") {
        found.push("says super::super; write crate::… instead".to_owned());
    }
    found
}

#[test]
fn modules_name_lower_layers_only() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let layers = table(&fs::read_to_string(folder.join("lib.rs")).unwrap());
    assert!(
        layers.len() >= 10,
        "the table of src/lib.rs was not understood: {layers:?}"
    );
    let mut found = Vec::new();
    for path in rust_files(&folder) {
        let relative = path.strip_prefix(&folder).unwrap();
        let top = relative
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap();
        let module = top.strip_suffix(".rs").unwrap_or(top);
        if module == "lib" {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for breach in breaches(&layers, module, &text) {
            found.push(format!("src/{}: {breach}", relative.display()));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_module_may_not_name_its_own_layer_or_a_higher_one() {
    let layers = table("//! | 0 | [`ids`], `time` | facts |\n//! | 2 | [`engine`] | machine |");
    assert!(breaches(&layers, "engine", "use crate::ids::CallId;").is_empty());
    assert!(breaches(&layers, "engine", "use crate::engine::queue::Queue;").is_empty());
    assert!(breaches(&layers, "ids", "// use crate::engine;").is_empty());
    assert_eq!(
        breaches(&layers, "ids", "fn f() { crate::engine::start() }").len(),
        1
    );
    assert_eq!(
        breaches(&layers, "ids", "use crate::{time::At, engine::{a, b}};").len(),
        2
    );
    assert_eq!(
        breaches(&layers, "engine", "use crate::elsewhere;").len(),
        1
    );
    assert_eq!(
        breaches(&layers, "engine", "use super::super::ids;").len(),
        1
    );
    assert_eq!(breaches(&layers, "stranger", "").len(), 1);
}

/// A clock that somebody sets must move no deadline. Only what outlives the process may ask for the time of
/// day, and what only tells it to people.
#[test]
fn deadlines_are_kept_by_clocks_that_nobody_sets() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let asks = |folder: &str, extension: &str, words: &[&str]| -> Vec<String> {
        let mut found: Vec<String> = files(&root.join(folder), extension)
            .into_iter()
            .filter(|path| {
                let text = fs::read_to_string(path).unwrap();
                words.iter().any(|word| text.contains(word))
            })
            .map(|path| path.strip_prefix(root).unwrap().display().to_string())
            .collect();
        found.sort();
        found
    };
    let in_files = ["src/storage/database.rs", "src/storage/record.rs"];
    assert_eq!(asks("src", "rs", &["SystemTime"]), in_files);
    let python = [
        "time.time(",
        "time.time_ns(",
        "datetime.now(",
        "import time as",
    ];
    assert_eq!(
        asks("python/synapse", "py", &python),
        ["python/synapse/_worker/builtin.py"]
    );
    let told = ["ts/errors/base.ts", "ts/stats.ts", "ts/worker/builtin.ts"];
    assert_eq!(asks("ts", "ts", &["Date.now(", "new Date()"]), told);
}
