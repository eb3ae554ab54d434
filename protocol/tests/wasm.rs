//! The crate is for browsers too: it builds for `wasm32-unknown-unknown`.

use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

#[test]
fn the_crate_builds_for_wasm() {
    if !installed() {
        eprintln!("SKIPPED: the target is not installed; rustup target add {TARGET}");
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
    // A folder of its own: this runs inside of a cargo that holds the other one.
    let out: PathBuf = [root.as_os_str(), "target".as_ref(), "wasm".as_ref()].iter().collect();
    let checked = Command::new(env!("CARGO"))
        .args(["check", "--package", "tickwire-protocol", "--target", TARGET, "--locked"])
        .arg("--target-dir")
        .arg(out)
        .current_dir(root)
        .status()
        .expect("cargo runs");
    assert!(checked.success(), "cargo check for {TARGET}: {checked}");
}

/// Whether rustup has the target. Without rustup nobody knows.
fn installed() -> bool {
    let listed = Command::new("rustup").args(["target", "list", "--installed"]).output();
    listed.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).lines().any(|it| it == TARGET))
}
