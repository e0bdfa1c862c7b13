//! Runs the real program on the samples.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A path below `tests/`.
pub fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)
}

/// The program, with no configuration of the machine's and in a zone that none of the samples has.
pub fn eopwatch() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eopwatch"));
    command.env("TZ", "Asia/Tokyo").env("XDG_CONFIG_HOME", "/nonexistent").env_remove("NO_COLOR");
    command
}

/// What the program printed, which must have ended with this status.
pub fn output(command: &mut Command, status: i32) -> Output {
    let output = command.output().expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{command:?} said: {stderr}");
    output
}

/// The events of some inputs.
pub fn events(arguments: &[&str], paths: &[PathBuf]) -> Vec<Value> {
    let output = output(eopwatch().arg("events").args(arguments).args(paths), 0);
    String::from_utf8(output.stdout)
        .expect("UTF-8")
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect()
}

/// The summary of some inputs.
pub fn summary(arguments: &[&str], paths: &[PathBuf]) -> Value {
    let mut command = eopwatch();
    command.args(["summary", "--format", "json"]).args(arguments).args(paths);
    serde_json::from_slice(&output(&mut command, 0).stdout).expect("JSON")
}

/// The lines of a file that may be gzipped.
pub fn text(path: &Path) -> String {
    use std::io::Read;
    let bytes = std::fs::read(path).expect("a sample");
    let mut text = String::new();
    if bytes.starts_with(b"\x1f\x8b") {
        flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("UTF-8 in gzip");
    } else {
        text = String::from_utf8(bytes).expect("UTF-8");
    }
    text
}
