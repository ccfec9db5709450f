use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use syn::{Attribute, Expr, ExprMatch, File, ImplItem, Item, Lit, Meta, Pat, Stmt};

/// One way to fail that has a code: an `impl fault::Diagnose`, or one arm of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) code: String,
    /// `identity`.
    pub(super) krate: String,
    /// `Error::Refused`, `ListenError`.
    pub(super) name: String,
    /// Its documentation comment.
    pub(super) doc: Option<String>,
    /// What it prints, with the names of its fields in braces.
    pub(super) display: Option<String>,
    /// Who can mend it.
    pub(super) blame: Option<String>,
    /// Whether trying again can help.
    pub(super) retry: Option<String>,
    /// What to do.
    pub(super) hints: Vec<String>,
}

/// Every failure with a code in the sources of all crates.
pub(super) fn failures() -> Vec<Failure> {
    let mut files_of: BTreeMap<String, Vec<File>> = BTreeMap::new();
    for file in files() {
        let text = std::fs::read_to_string(&file).expect("a source can be read");
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let relative = file.strip_prefix(crates()).expect("it is in there");
        let krate = relative.iter().next().unwrap_or_default().to_string_lossy().into_owned();
        files_of.entry(krate).or_default().push(parsed);
    }
    let mut found = Vec::new();
    for (krate, files) in &files_of {
        // What one file names and another one says, if there is only one of that name.
        let mut whole: BTreeMap<String, Option<Said>> = BTreeMap::new();
        for (name, said) in files.iter().flat_map(told) {
            whole.entry(name).and_modify(|only| *only = None).or_insert(Some(said));
        }
        let whole: Told = whole.into_iter().filter_map(|(name, said)| Some((name, said?))).collect();
        for file in files {
            let mut said = whole.clone();
            said.extend(told(file));
            found.extend(of_file(krate, file, &said));
        }
    }
    found.sort_by(|a, b| (&a.code, &a.krate, &a.name).cmp(&(&b.code, &b.krate, &b.name)));
    found
}

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The sources of all crates, but those of tests.
pub(super) fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let entries = std::fs::read_dir(crates()).expect("there are crates");
    let mut open: Vec<PathBuf> =
        entries.map(|entry| entry.expect("a directory can be read").path().join("src")).collect();
    while let Some(dir) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else { continue };
        for entry in entries {
            let path = entry.expect("a directory can be read").path();
            if path.is_dir() {
                if !path.ends_with("tests") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn of_file(krate: &str, file: &File, told: &Told) -> Vec<Failure> {
    let mut failures = Vec::new();
    for item in &file.items {
        let Item::Impl(block) = item else { continue };
        let is_diagnose = block
            .trait_
            .as_ref()
            .is_some_and(|(_, path, _)| path.segments.last().is_some_and(|segment| segment.ident == "Diagnose"));
        let syn::Type::Path(own) = &*block.self_ty else { continue };
        let Some(own) = own.path.segments.last().map(|segment| segment.ident.to_string()).filter(|_| is_diagnose)
        else {
            continue;
        };
        let mut answers: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        for item in &block.items {
            if let ImplItem::Fn(function) = item {
                let leaves = answers.entry(function.sig.ident.to_string()).or_default();
                of_statements(&function.block.stmts, &own, &own, leaves);
            }
        }
        let get = |what: &str, name: &str| -> Vec<String> {
            let all = answers.get(what).map_or(&[][..], Vec::as_slice);
            let of = |wanted: &str| -> Vec<String> {
                let fitting = all.iter().filter(|(of, _)| of.as_str() == wanted);
                let mut values: Vec<_> = fitting.map(|(_, value)| value.clone()).collect();
                values.sort();
                values.dedup();
                values
            };
            // What is said of all stands for each.
            let own_values = of(name);
            if own_values.is_empty() { of(&own) } else { own_values }
        };
        for (name, code) in answers.get("code").into_iter().flatten() {
            if !is_code(code) {
                continue;
            }
            // Where it depends, nothing is said.
            let one = |what: &str| {
                let prefix = if what == "blame" { "Blame::" } else { "Retry::" };
                let values = get(what, name);
                let mut values = values.iter().filter_map(|value| value.strip_prefix(prefix));
                values.next().filter(|_| values.next().is_none()).map(str::to_owned)
            };
            let (doc, display) = told.get(name).cloned().unwrap_or_default();
            let failure = Failure {
                code: code.clone(),
                krate: krate.to_owned(),
                name: name.clone(),
                doc,
                display,
                blame: one("blame"),
                retry: one("retry"),
                // One word is a path or a name, no action.
                hints: get("hint", name).into_iter().filter(|hint| hint.contains(' ')).collect(),
            };
            if !failures.contains(&failure) {
                failures.push(failure);
            }
        }
    }
    failures
}

/// `area.what-happened`.
pub(super) fn is_code(text: &str) -> bool {
    let fits = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text.contains('.') && text.split('.').all(fits)
}

/// By `Type` and `Type::Variant`: the documentation, and what it prints.
type Told = BTreeMap<String, Said>;

/// The documentation, and what it prints.
type Said = (Option<String>, Option<String>);

fn told(file: &File) -> Told {
    let mut told = Told::new();
    for item in &file.items {
        match item {
            Item::Enum(item) => {
                told.insert(item.ident.to_string(), (doc(&item.attrs), display(&item.attrs)));
                for variant in &item.variants {
                    told.insert(
                        format!("{}::{}", item.ident, variant.ident),
                        (doc(&variant.attrs), display(&variant.attrs)),
                    );
                }
            }
            Item::Struct(item) => {
                told.insert(item.ident.to_string(), (doc(&item.attrs), display(&item.attrs)));
            }
            _ => {}
        }
    }
    told
}

fn doc(attributes: &[Attribute]) -> Option<String> {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    let text = lines.collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then_some(text)
}

fn display(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("error") => first_text(&list.tokens),
        _ => None,
    })
}

/// The first literal text of a macro's input.
fn first_text(tokens: &proc_macro2::TokenStream) -> Option<String> {
    match tokens.clone().into_iter().next()? {
        proc_macro2::TokenTree::Literal(literal) => match syn::parse_str::<Lit>(&literal.to_string()).ok()? {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

/// What a function answers, each with the variant whose arm says it: literal texts, and paths such as `Blame::Operator`.
fn of_statements(statements: &[Stmt], own: &str, at: &str, leaves: &mut Vec<(String, String)>) {
    for statement in statements {
        match statement {
            Stmt::Expr(expression, _) => of_expression(expression, own, at, leaves),
            Stmt::Local(local) => {
                if let Some(init) = &local.init {
                    of_expression(&init.expr, own, at, leaves);
                }
            }
            Stmt::Item(_) | Stmt::Macro(_) => {}
        }
    }
}

fn of_expression(expression: &Expr, own: &str, at: &str, leaves: &mut Vec<(String, String)>) {
    match expression {
        Expr::Match(ExprMatch { arms, .. }) => {
            for arm in arms {
                let mut names = Vec::new();
                variants(&arm.pat, own, &mut names);
                if names.is_empty() {
                    names.push(at.to_owned());
                }
                for name in names {
                    of_expression(&arm.body, own, &name, leaves);
                }
            }
        }
        Expr::Lit(literal) => {
            if let Lit::Str(text) = &literal.lit {
                leaves.push((at.to_owned(), text.value()));
            }
        }
        Expr::Path(path) => {
            let segments: Vec<_> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            leaves.push((at.to_owned(), segments.join("::")));
        }
        Expr::Macro(call) => leaves.extend(first_text(&call.mac.tokens).map(|text| (at.to_owned(), text))),
        Expr::Block(block) => of_statements(&block.block.stmts, own, at, leaves),
        Expr::If(choice) => {
            of_statements(&choice.then_branch.stmts, own, at, leaves);
            if let Some((_, other)) = &choice.else_branch {
                of_expression(other, own, at, leaves);
            }
        }
        Expr::MethodCall(call) => of_expression(&call.receiver, own, at, leaves),
        Expr::Call(call) => {
            // `Retry::After(wait)` is an answer; `Some(..)` and `Cow::Owned(..)` hold one.
            if let Expr::Path(path) = &*call.func
                && path.path.segments.first().is_some_and(|segment| segment.ident == "Retry")
            {
                leaves.push((at.to_owned(), "Retry::After".to_owned()));
                return;
            }
            for argument in &call.args {
                of_expression(argument, own, at, leaves);
            }
        }
        Expr::Paren(inner) => of_expression(&inner.expr, own, at, leaves),
        Expr::Reference(inner) => of_expression(&inner.expr, own, at, leaves),
        _ => {}
    }
}

/// The variants that a pattern names: `Self::Refused { .. } | Kind::Denied`.
fn variants(pattern: &Pat, own: &str, names: &mut Vec<String>) {
    let path = match pattern {
        Pat::Or(or) => {
            for case in &or.cases {
                variants(case, own, names);
            }
            return;
        }
        Pat::Struct(pattern) => &pattern.path,
        Pat::TupleStruct(pattern) => &pattern.path,
        Pat::Path(pattern) => &pattern.path,
        _ => return,
    };
    let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    if let [.., kind, variant] = segments.as_slice() {
        let kind = if kind == "Self" { own } else { kind };
        names.push(format!("{kind}::{variant}"));
    }
}
