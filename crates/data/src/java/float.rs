use std::fmt::Write;

/// Appends a number as `Double.toString` of Java 19 and later: the shortest digits that give the number back, with an
/// exponent below 10^-3 and from 10^7. (Earlier ones print some numbers with a digit too many: 2.0E-3 as 0.0020.)
pub fn push_f64(value: f64, out: &mut String) {
    if push_special(value, out) {
        return;
    }
    let mut text = format!("{value:e}");
    if !text.contains('.') {
        // Of one digit Java makes two, and then those that are nearest: 4.9E-324, not 5.0E-324.
        text = format!("{value:.1e}");
    }
    push_scientific(&text, out);
}

/// Appends a number as `Float.toString` of Java 19 and later; see [`push_f64`].
pub fn push_f32(value: f32, out: &mut String) {
    if push_special(f64::from(value), out) {
        return;
    }
    let mut text = format!("{value:e}");
    if !text.contains('.') {
        text = format!("{value:.1e}");
    }
    push_scientific(&text, out);
}

fn push_special(value: f64, out: &mut String) -> bool {
    let text = if value.is_nan() {
        "NaN"
    } else if value == f64::INFINITY {
        "Infinity"
    } else if value == f64::NEG_INFINITY {
        "-Infinity"
    } else if value == 0.0 {
        if value.is_sign_negative() { "-0.0" } else { "0.0" }
    } else {
        return false;
    };
    out.push_str(text);
    true
}

/// Reprints `-d.ddde-n` in Java's form.
fn push_scientific(text: &str, out: &mut String) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mantissa = match mantissa.strip_prefix('-') {
        Some(rest) => {
            out.push('-');
            rest
        }
        None => mantissa,
    };
    let (first, rest) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    match exponent {
        0 => {
            out.push_str(first);
            out.push('.');
            out.push_str(rest);
        }
        1..7 => {
            let places = exponent as usize;
            // `d.0` of one digit has a fraction that is not there.
            let rest = if rest == "0" { "" } else { rest };
            out.push_str(first);
            out.push_str(&rest[..rest.len().min(places)]);
            out.extend(std::iter::repeat_n('0', places.saturating_sub(rest.len())));
            out.push('.');
            out.push_str(rest.get(places..).filter(|rest| !rest.is_empty()).unwrap_or("0"));
        }
        -3..0 => {
            out.push_str("0.");
            out.extend(std::iter::repeat_n('0', -exponent as usize - 1));
            out.push_str(first);
            if rest != "0" {
                out.push_str(rest);
            }
        }
        _ => {
            out.push_str(first);
            out.push('.');
            out.push_str(rest);
            // Writing to a string cannot fail.
            write!(out, "E{exponent}").ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{push_f32, push_f64};

    #[track_caller]
    fn double(value: f64, text: &str) {
        let mut out = String::new();
        push_f64(value, &mut out);
        assert_eq!(out, text);
    }

    #[test]
    fn doubles_print_as_java_prints_them() {
        double(0.0, "0.0");
        double(-0.0, "-0.0");
        double(100.0, "100.0");
        double(1.5, "1.5");
        double(123_456.789, "123456.789");
        double(9_999_999.0, "9999999.0");
        double(1e7, "1.0E7");
        double(0.001, "0.001");
        double(9.99e-4, "9.99E-4");
        double(0.25, "0.25");
        double(-0.05, "-0.05");
        double(1e21, "1.0E21");
        double(5e-324, "4.9E-324");
        double(f64::MAX, "1.7976931348623157E308");
        double(f64::NEG_INFINITY, "-Infinity");
        double(120_000.0, "120000.0");
        double(2e23, "2.0E23");
    }

    #[test]
    fn floats_print_as_java_prints_them() {
        for (value, text) in [(0.1, "0.1"), (16_777_216.0, "1.6777216E7"), (1e10, "1.0E10"), (1e-45, "1.4E-45")] {
            let mut out = String::new();
            push_f32(value, &mut out);
            assert_eq!(out, text);
        }
    }
}
