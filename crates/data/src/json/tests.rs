use proptest::prelude::*;
use serde_json::Value;

use super::{Compactor, JsonFaultKind};

/// What becomes of `text`: nothing but whitespace, a document, or a fault.
fn compact(text: &[u8]) -> Result<Option<String>, JsonFaultKind> {
    let mut out = b"before".to_vec();
    match Compactor::new().compact(text, &mut out) {
        Ok(true) => Ok(Some(String::from_utf8(out.split_off(6)).expect("UTF-8"))),
        Ok(false) => {
            assert_eq!(out, b"before");
            Ok(None)
        }
        Err(fault) => {
            assert_eq!(out, b"before");
            assert!(fault.at <= text.len());
            Err(fault.kind)
        }
    }
}

#[track_caller]
fn becomes(text: &str, expected: &str) {
    assert_eq!(compact(text.as_bytes()).as_ref().map(Option::as_deref), Ok(Some(expected)), "{text}");
}

#[test]
fn whitespace_goes_and_everything_else_stays() {
    becomes(
        " { \"b\" : [ 1.50 , -0 , 1E+5 ] ,\n\t\"a\" : \"x \\u00e9 y\" }\r\n",
        r#"{"b":[1.50,-0,1E+5],"a":"x \u00e9 y"}"#,
    );
    becomes("[]", "[]");
    becomes("{ }", "{}");
    becomes(" null ", "null");
    assert_eq!(compact(b" \n"), Ok(None));
}

#[test]
fn what_follows_the_first_value_is_dropped() {
    becomes("{\"a\":1} trailing", "{\"a\":1}");
    becomes("1 2", "1");
    becomes("\"a\"b", "\"a\"");
    assert!(compact(b"1x").is_err());
    assert!(compact(b"truex").is_err());
}

#[test]
fn jacksons_leniencies_come_out_strict() {
    becomes("\u{feff}{}", "{}");
    becomes("[01,-002.50,000]", "[1,-2.50,0]");
    becomes("{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2,\"a\":3}");
    becomes("{\"a\" : 1, \"\\u0061\" :2}", "{\"\\u0061\":2}");
    becomes("[{\"a\":{\"x\":1,\"x\":2}},{\"a\":[{\"y\":1 , \"y\":2}],\"a\":0}]", "[{\"a\":{\"x\":2}},{\"a\":0}]");
    for (odd, plain) in [
        (&b"\"a\xed\xa0\x80b\""[..], "\"a\\uD800b\""),
        (b"\"\xed\xa0\xbd\xed\xb8\x80\"", "\"\\uD83D\\uDE00\""),
        (b"\"\xc1\xbf\xe2\x82\xac\"", "\"\x7f€\""),
        (b"\"\xc0\xa2\xc0\x80\"", "\"\\u0022\\u0000\""),
        (b"{\"\xed\xa0\x80\":1,\"\\uD800\":2}", "{\"\\uD800\":2}"),
    ] {
        assert_eq!(compact(odd).as_ref().map(Option::as_deref), Ok(Some(plain)));
    }
}

#[test]
fn what_jackson_refuses_is_refused() {
    for text in [
        "{",
        "[",
        "[1",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "[1,]",
        "[,1]",
        "{,}",
        "{a:1}",
        "{1:2}",
        "[1 2]",
        "{\"a\" 1}",
        "[1}",
        "{\"a\":1]",
        "]",
        "}",
        ",",
        ":",
        "'x'",
        "NaN",
        "Infinity",
        "-Infinity",
        "+1",
        ".5",
        "1.",
        "1.e5",
        "1e",
        "1e+",
        "-",
        "--1",
        "1_0",
        "0x1",
        "nul",
        "True",
        "\"abc",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u12\"",
        "\"\\",
        "\"a\nb\"",
        "\"\u{0}\"",
        "/*c*/1",
        "#c",
        "\u{c}1",
        "\u{a0}1",
        "1e2147483648",
        "1e99999999999",
    ] {
        assert!(compact(text.as_bytes()).is_err(), "{text}");
    }
    for text in [
        &b"\"\xff\""[..],
        b"\"\x80\"",
        b"\"\xc3\"",
        b"\"\xe2\x82\"",
        b"\"\xf8\x88\x80\x80\x80\"",
        b"\"\xf0\x80\x80\x80\"",
        b"\"\xf5\x80\x80\x80\"",
        b"\xef\xbb\xbf",
        b"\0[\0]",
        b"[\0]\0",
    ] {
        assert!(compact(text).is_err(), "{text:?}");
    }
}

#[test]
fn limits_are_jacksons() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    becomes(&nested(1000), &nested(1000));
    assert_eq!(compact(nested(1001).as_bytes()), Err(JsonFaultKind::Depth));
    let number = |len: usize| "1".repeat(len);
    becomes(&number(1000), &number(1000));
    assert_eq!(compact(number(1001).as_bytes()), Err(JsonFaultKind::Long));
    let named = |name: &str| format!("{{\"{name}\":1}}");
    becomes(&named(&"n".repeat(50_000)), &named(&"n".repeat(50_000)));
    assert_eq!(compact(named(&"n".repeat(50_001)).as_bytes()), Err(JsonFaultKind::Long));
    // Counted in UTF-16 units: two for one of these.
    becomes(&named(&"🚀".repeat(25_000)), &named(&"🚀".repeat(25_000)));
    assert_eq!(compact(named(&"🚀".repeat(25_001)).as_bytes()), Err(JsonFaultKind::Long));
    let text = |len: usize| format!("\"{}\"", "x".repeat(len));
    becomes(&text(20_000_000), &text(20_000_000));
    assert_eq!(compact(text(20_000_001).as_bytes()), Err(JsonFaultKind::Long));
}

#[test]
fn objects_of_many_members_keep_the_last_of_each_name() {
    let members: Vec<String> = (0..500).map(|n| format!("\"k{}\":{n}", n % 300)).collect();
    let text = format!("{{{}}}", members.join(", "));
    let expected = format!("{{{}}}", members[200..].join(","));
    becomes(&text, &expected);
}

/// JSON values; names repeat within an object now and then.
fn values() -> impl Strategy<Value = Vec<Part>> {
    let leaf = prop_oneof![
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,2})?",
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("null".to_owned()),
        text(),
    ]
    .prop_map(|leaf| vec![Part::Solid(leaf)]);
    leaf.prop_recursive(6, 60, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(|items| joined("[", items, "]")),
            proptest::collection::vec((prop_oneof![text(), "\"[ab]\""], inner), 0..8).prop_map(|members| {
                let members = members.into_iter().map(|(name, value)| {
                    let mut member = vec![Part::Solid(name), Part::Blank, Part::Solid(":".to_owned()), Part::Blank];
                    member.extend(value);
                    member
                });
                joined("{", members.collect(), "}")
            }),
        ]
    })
}

/// JSON strings, escapes among them.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ -!#-\\[\\]-~]{0,20}",
        1 => "\\PC",
        1 => "\\\\[\"\\\\/bfnrt]",
        1 => "\\\\u[0-9a-cA-C][0-9a-fA-F]{3}",
        1 => Just("\\uD83D\\uDE80".to_owned()),
    ];
    let piece = piece.prop_filter("escapes and quotes come by themselves", |piece: &String| {
        piece.len() > 1 || (piece != "\"" && piece != "\\")
    });
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// A token, or a place where whitespace may be.
#[derive(Debug, Clone)]
enum Part {
    Solid(String),
    Blank,
}

fn joined(open: &str, items: Vec<Vec<Part>>, close: &str) -> Vec<Part> {
    let mut parts = vec![Part::Solid(open.to_owned()), Part::Blank];
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            parts.extend([Part::Blank, Part::Solid(",".to_owned()), Part::Blank]);
        }
        parts.extend(item);
    }
    parts.extend([Part::Blank, Part::Solid(close.to_owned())]);
    parts
}

fn printed(parts: &[Part], blanks: &[&str]) -> String {
    let mut blanks = blanks.iter().cycle();
    let print = |part: &Part| match part {
        Part::Solid(text) => text.clone(),
        Part::Blank => (*blanks.next().unwrap_or(&"")).to_owned(),
    };
    parts.iter().map(print).collect()
}

/// What a document is spoilt with.
const INSERTED: [&[u8]; 16] = [
    b"",
    b"\"",
    b"\\",
    b",",
    b"}",
    b"]",
    b"{",
    b":",
    b"0",
    b"-",
    b"e",
    b"\x01",
    b"\xed\xa0\x80",
    b"\xff",
    b" ",
    b"\xc3\xa9",
];

proptest! {
    #[test]
    fn a_document_says_the_same_without_its_whitespace(
        parts in values(),
        blanks in proptest::collection::vec(prop_oneof![3 => Just(""), 1 => Just(" "), 1 => Just("\r\n\t ")], 1..9),
    ) {
        let text = printed(&parts, &blanks);
        let bare = printed(&parts, &[""]);
        let ours = compact(text.as_bytes()).unwrap().unwrap();
        let plain: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(&ours).unwrap(), plain);
        // Nothing but whitespace and repeated names is gone, and doing it again changes nothing.
        prop_assert_eq!(compact(ours.as_bytes()).unwrap().unwrap(), ours.clone());
        prop_assert!(ours.len() <= bare.len());
        if ours.len() == bare.len() {
            prop_assert_eq!(ours, bare);
        }
    }

    #[test]
    fn whatever_is_taken_is_json_and_what_is_json_is_taken(
        parts in values(),
        at in any::<prop::sample::Index>(),
        with in prop::sample::select(&INSERTED[..]),
        cut in 0_usize..3,
    ) {
        // A document with something put in or cut out.
        let mut text = printed(&parts, &[""]).into_bytes();
        let at = at.index(text.len() + 1);
        let end = (at + cut).min(text.len());
        text.splice(at..end, with.iter().copied());
        let strict = serde_json::from_slice::<Value>(&text);
        match compact(&text) {
            Ok(Some(ours)) => {
                let reread = serde_json::from_str::<Value>(&ours);
                if let Err(error) = &reread {
                    // Lone surrogates and numbers beyond doubles are JSON to us and to Jackson.
                    let known = ["surrogate", "hex escape", "number out of range"];
                    prop_assert!(known.iter().any(|text| error.to_string().contains(text)), "{ours}: {error}");
                }
                if let (Ok(strict), Ok(reread)) = (strict, reread) {
                    prop_assert_eq!(strict, reread);
                }
            }
            Ok(None) => prop_assert!(text.iter().all(u8::is_ascii_whitespace)),
            Err(_) => prop_assert!(strict.is_err(), "refused: {}", String::from_utf8_lossy(&text)),
        }
    }

    #[test]
    fn nothing_makes_it_stumble(text in proptest::collection::vec(any::<u8>(), 0..80)) {
        compact(&text).ok();
    }
}
