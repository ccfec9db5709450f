//! Whatever stands in a line: an answer, soon, and no panic.

use proptest::prelude::*;
use serde_json::json;

use crate::line::{OBJECT, OWN, SESSION, USER, allow, answer, ask, on_condition, to};

/// A line with something of everything in it.
fn whole() -> String {
    let condition = json!({
        "StringLike": {"k:a": ["x*y?z", "${aws:username, 'd'}${*}"]},
        "ForAllValues:ArnNotLikeIfExists": {"k:b": "arn:aws:iam::*:role/${k:a}"},
        "DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00.5+01:00"},
        "NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]},
        "NumericGreaterThan": {"k:n": -1.5e3},
        "BinaryEquals": {"k:c": "AQI="},
        "Null": {"k:d": true},
    });
    let line = ask(SESSION, "s3:GetObject", OBJECT)
        .identity(&json!([on_condition(allow("s3:*Get*"), &condition), allow("*")]))
        .with(
            "resourcePolicy",
            &to(
                &json!({"AWS": [OWN, SESSION], "Service": "ec2.amazonaws.com", "CanonicalUser": "0".repeat(64)}),
                allow("s3:*"),
            ),
        )
        .with(
            "sessionPolicy",
            &json!({"Sid": "A", "Effect": "Deny", "NotAction": "s3:*", "NotResource": "arn:aws:s3:::b/*"}),
        )
        .with("permissionBoundary", &allow("*"))
        .with("endpointPolicy", &to(&json!("*"), allow("*")))
        .level("scps", &[allow("*")])
        .level("rcps", &[to(&json!("*"), json!({"Effect": "Deny", "Action": "sqs:*", "Resource": "*"}))])
        .key("aws:username", "ana")
        .key("k:a", "xyyz")
        .key("k:b", json!(["arn:aws:iam::1:role/a", "é\u{1F600}"]))
        .key("k:n", 7)
        .key("aws:CurrentTime", "2025-12-31")
        .key("aws:SourceIp", "::ffff:10.0.0.1");
    line.0.to_string()
}

#[test]
fn the_line_to_be_damaged_is_sound() {
    let (decision, reason) = crate::line::answer(&whole());
    assert_eq!(decision, "Allow", "{reason}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn a_damaged_line_is_answered(
        damage in prop::collection::vec((any::<prop::sample::Index>(), 0..6u8, any::<u8>(), any::<prop::sample::Index>()), 1..6),
    ) {
        let mut bytes = whole().into_bytes();
        for (at, how, byte, other) in damage {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                3 => bytes.truncate(at),
                4 => bytes[at] = b"*?${},:\"[]"[usize::from(byte) % 10],
                _ => {
                    let other = other.index(bytes.len());
                    bytes.swap(at, other);
                }
            }
        }
        let answer = serde_json::to_value(iam::answer(&bytes)).unwrap();
        prop_assert!(["Allow", "ExplicitDeny", "ImplicitDeny", "Invalid"].contains(&answer["decision"].as_str().unwrap()));
        drop(iam::Answer::too_long(&bytes, 1));
    }

    #[test]
    fn any_text_may_stand_where_a_text_stands(text in "[\\PC]{0,40}") {
        let statement = json!({"Sid": text, "Effect": "Allow", "Action": [text, format!("s3:{text}")], "Resource": [text, format!("arn:aws:s3:::{text}")],
            "Condition": {"ArnLike": {format!("k:{text}"): format!("arn:aws:s3:::{text}")}, "StringLike": {"k:a": text}, "DateEquals": {"k:a": text}}});
        let line = ask(USER, "s3:GetObject", &format!("arn:aws:s3:::{text}")).identity(&statement).with("resourcePolicy", &to(&json!({"AWS": text}), allow(&text))).key(&format!("k:{text}"), text.clone());
        drop(line.answer());
        let one_by_one = ask(USER, "s3:GetObject", &format!("arn:aws:s3:::{text}")).key("k:a", text.clone());
        for statement in [
            json!({"Effect": "Allow", "Action": format!("s3:{text}"), "Resource": "*"}),
            json!({"Effect": "Allow", "Action": "*", "Resource": format!("arn:aws:s3:::{text}")}),
            on_condition(allow("*"), &json!({"StringNotLike": {"k:a": text}})),
            on_condition(allow("*"), &json!({"ArnNotLike": {"k:a": format!("arn:aws:s3:::{text}")}})),
        ] {
            drop(one_by_one.clone().identity(&statement).answer());
        }
    }
}

/// Each is of the kind on which a matcher that tries everything takes longer than the universe is old.
#[test]
fn patterns_of_many_stars_take_no_time() {
    let stars = "*a".repeat(2_000);
    let value = "a".repeat(1_900) + "b";
    let variables = "${k:a}*".repeat(500);
    for statement in [
        json!({"Effect": "Allow", "Action": format!("s3:{stars}"), "Resource": "*"}),
        json!({"Effect": "Allow", "Action": "*", "Resource": format!("arn:aws:s3:::{stars}")}),
        on_condition(allow("*"), &json!({"StringLike": {"k:v": [stars, variables]}})),
        on_condition(allow("*"), &json!({"ArnLike": {"k:arn": format!("arn:aws:s3:{stars}:{stars}:{stars}")}})),
    ] {
        let line = ask(USER, &format!("s3:{value}"), &format!("arn:aws:s3:::{value}"))
            .identity(&statement)
            .key("k:a", "a".repeat(50))
            .key("k:v", value.clone())
            .key("k:arn", format!("arn:aws:s3:{value}:{value}:{value}"));
        assert_eq!(line.answer().0, "ImplicitDeny");
    }
}

#[test]
fn nesting_without_end_is_refused_and_not_followed() {
    for open in ["[", "{\"a\":"] {
        let deep = open.repeat(200_000);
        let answer =
            serde_json::to_string(&iam::answer(format!("{{\"id\":\"1\",\"resourcePolicy\":{deep}").as_bytes()))
                .unwrap();
        assert!(answer.contains("\"id\":\"1\",\"decision\":\"Invalid\""), "{answer}");
    }
    let closed = "[".repeat(100_000) + &"]".repeat(100_000);
    let answer = iam::answer(format!("{{\"resourcePolicy\":{{\"Statement\":{closed}}}}}").as_bytes());
    assert_eq!(answer.decision(), iam::Verdict::Invalid);
}

#[test]
fn a_byte_order_mark_and_a_carriage_return_are_no_part_of_a_line() {
    let line = ask(USER, "s3:GetObject", OBJECT).identity(&allow("s3:*")).0.to_string();
    assert_eq!(answer(&format!("\u{feff}{line}\r")).0, "Allow");
}
