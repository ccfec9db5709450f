//! Makes the table of the scenarios that are built in: all files of `scenarios/`, so that none can be forgotten.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

#[expect(clippy::disallowed_methods, reason = "how Cargo tells a build script where to write")]
fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=scenarios");
    // Not `env!`: checkouts that share a target directory share the script, too.
    let here = env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| io::Error::other("Cargo did not say where we are"))?;
    let dir = Path::new(&here).join("scenarios");
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    let mut table = "&[\n".to_owned();
    for path in files {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        writeln!(table, "    BuiltIn {{ name: {name:?}, text: include_str!({:?}) }},", path.display().to_string())
            .map_err(io::Error::other)?;
    }
    table.push_str("]\n");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("Cargo did not say where to write"))?;
    fs::write(Path::new(&out).join("scenarios.rs"), table)
}
