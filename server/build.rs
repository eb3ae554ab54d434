//! Lists the files of the web pages, so that the program carries them with it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Folders, and where their files are served.
const FOLDERS: [(&str, &str); 2] = [("pages", ""), ("../protocol/js/src", "client/")];
/// What a browser loads; anything else in the folders is for those who work on them.
const EXTENSIONS: [&str; 5] = ["html", "css", "js", "svg", "png"];

fn main() -> io::Result<()> {
    let variable = |name| env::var_os(name).map(PathBuf::from).ok_or(io::ErrorKind::NotFound);
    let (root, out) = (variable("CARGO_MANIFEST_DIR")?, variable("OUT_DIR")?);
    let mut files = Vec::new();
    for (folder, at) in FOLDERS {
        println!("cargo::rerun-if-changed={folder}");
        list(&root.join(folder), at, &mut files)?;
    }
    files.sort();
    let mut list = String::from("&[\n");
    for (at, file) in files {
        // Writing to a string does not fail.
        let _ = writeln!(list, "    ({at:?}, include_bytes!({:?})),", file.display().to_string());
    }
    list.push_str("]\n");
    fs::write(out.join("pages.rs"), list)
}

/// Adds the files of a folder, with the paths at which they are served.
fn list(folder: &Path, at: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let known = path.extension().is_some_and(|it| EXTENSIONS.iter().any(|known| it == *known));
        if path.is_dir() {
            list(&path, &format!("{at}{name}/"), files)?;
        } else if known {
            files.push((format!("{at}{name}"), path));
        }
    }
    Ok(())
}
