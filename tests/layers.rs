//! Imports go down only, as the front page of the crate says.

use std::fs;
use std::path::{Path, PathBuf};

/// From the lowest layer up; a module may use those before it, and those of its own layer.
const LAYERS: [&[&str]; 10] = [
    &["text", "memo"],
    &["source"],
    &["scan"],
    &["record"],
    &["microsoft", "attribute", "control"],
    &["detect"],
    &["aggregate"],
    &["engine"],
    &["view", "export"],
    &["cli", "config", "commands"],
];

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            all.push(path);
        }
    }
    all
}

#[test]
fn no_module_uses_one_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let layer = |name: &str| LAYERS.iter().position(|l| l.contains(&name));
    let mut seen = 0;
    for file in files(&src) {
        let inner = file.strip_prefix(&src).expect("below src");
        let module = inner.iter().next().expect("a name").to_string_lossy().replace(".rs", "");
        let Some(own) = layer(&module) else { continue };
        for line in fs::read_to_string(&file).expect("UTF-8").lines() {
            let code = line.split("//").next().unwrap_or_default();
            for used in code.split("crate::").skip(1) {
                let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if let Some(theirs) = layer(&used) {
                    seen += 1;
                    assert!(theirs <= own, "{} uses {used}: {line}", inner.display());
                }
            }
        }
    }
    assert!(seen > 50, "the test looks at nothing");
    // And what view and export show comes from snapshots, never from files.
    for file in files(&src.join("view")).into_iter().chain(files(&src.join("export"))) {
        let text = fs::read_to_string(&file).expect("UTF-8");
        assert!(!text.contains("crate::source"), "{} reads files", file.display());
    }
}
