//! Takes the pages of docs/errors into the binary: one table of codes and texts.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

#[expect(clippy::disallowed_methods, reason = "how cargo talks to build scripts")]
fn main() {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it");
    // Not `env!`: checkouts that share a target directory share the script, too.
    let pages = Path::new(&here).join("../../docs/errors");
    println!("cargo:rerun-if-changed={}", pages.display());
    let mut files: Vec<PathBuf> = std::fs::read_dir(&pages)
        .expect("docs/errors is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "md"))
        .collect();
    // By code, not by path: `.` comes after `-`.
    files.sort_by_key(|path| path.file_stem().map(ToOwned::to_owned));
    let mut table = "/// Code and page, by code.\nstatic PAGES: &[(&str, &str)] = &[\n".to_owned();
    for path in files {
        let code = path.file_stem().expect("it is a file").to_string_lossy().into_owned();
        if code != "README" {
            writeln!(table, "    ({code:?}, include_str!({:?})),", path.display().to_string())
                .expect("writing to a String does not fail");
        }
    }
    table.push_str("];\n");
    let out = std::env::var_os("OUT_DIR").expect("cargo sets it");
    std::fs::write(Path::new(&out).join("error_pages.rs"), table).expect("it can be written");
}
