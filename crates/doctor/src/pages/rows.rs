use std::collections::BTreeMap;
use std::path::Path;

/// How many rows the catalogue has.
pub(super) const ROWS: usize = 98;

/// What shows a row: scenarios and tests, each with the file that it is in, as seen from `docs/errors`.
pub(super) type Shown = BTreeMap<String, Vec<(String, String)>>;

pub(super) fn shown() -> Shown {
    let mut shown = Shown::new();
    for scenario in crate::scenarios::ALL {
        let table: toml::Table = scenario.text.parse().unwrap_or_else(|error| panic!("{}: {error}", scenario.name));
        let expect = table.get("expect");
        let row = expect.and_then(|expect| expect.get("row")).and_then(toml::Value::as_str);
        let also = expect.and_then(|expect| expect.get("also")).and_then(toml::Value::as_array);
        let also = also.into_iter().flatten().filter_map(toml::Value::as_str);
        for row in row.into_iter().chain(also) {
            let file = format!("../../crates/doctor/scenarios/{}.toml", scenario.name);
            shown.entry(row.to_owned()).or_default().push((scenario.name.to_owned(), file));
        }
    }
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rows");
    let mut files: Vec<_> = [tests.clone(), tests.join("special")]
        .iter()
        .flat_map(|dir| std::fs::read_dir(dir).expect("there are tests"))
        .map(|entry| entry.expect("a directory can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    files.sort();
    for path in files {
        let text = std::fs::read_to_string(&path).expect("a test can be read");
        let file = path.strip_prefix(&tests).expect("it is below").display().to_string();
        let names = text.lines().filter_map(|line| Some(line.trim().split_once("fn f")?.1.split_once('(')?.0));
        for name in names {
            let Some(number) = name.get(..2).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit())) else {
                continue;
            };
            let place = format!("../../crates/doctor/tests/rows/{file}");
            shown.entry(format!("F{number}")).or_default().push((format!("f{name}"), place));
        }
    }
    shown
}
