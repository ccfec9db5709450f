use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Read as _;

use ::doctor::causes::{Guess, guess};
use serde_json::json;

use crate::args::Output;
use crate::doctor::subject::LARGEST;
use crate::doctor::usage::Usage;

/// The message itself, or what stands on stdin.
pub(super) fn read(text: &str) -> Result<String, Usage> {
    if text != "-" {
        return Ok(text.to_owned());
    }
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(LARGEST).read_to_end(&mut bytes);
    read.map_err(|error| {
        Usage::new(
            format!("could not read stdin: {error}"),
            "give the message itself: tidegate doctor --explain 'TEXT'",
        )
    })?;
    // A log may hold anything.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// How many causes a log line names: more are read by nobody, and the doctor tells them apart.
const NAMED: usize = 3;

/// What a failure may be of, for a log line: each cause with its code and its cure.
pub(crate) fn causes_of(failure: &str) -> Vec<String> {
    let guesses = guess(failure);
    let mut causes: Vec<String> = guesses
        .iter()
        .take(NAMED)
        .map(|guess| format!("{} [{}]: {}", guess.cause.title, guess.cause.code, guess.cause.cure))
        .collect();
    if guesses.len() > NAMED {
        causes.push(format!("{} others, which tidegate doctor tells apart", guesses.len() - NAMED));
    }
    causes
}

/// What an error message may be of.
pub(super) fn explain(message: &str, output: Output) -> String {
    let guesses = guess(message);
    match output {
        Output::Json => {
            let causes: Vec<_> = guesses.iter().map(as_json).collect();
            format!("{:#}\n", json!({ "causes": causes }))
        }
        Output::Text => text(&guesses),
    }
}

fn as_json(guess: &Guess) -> serde_json::Value {
    let cause = guess.cause;
    json!({
        "row": cause.row, "cause": cause.code, "title": cause.title, "certainty": guess.certainty,
        "matched": guess.matched, "symptom": cause.symptom, "why": cause.why, "apart": cause.apart, "cure": cause.cure,
    })
}

fn text(guesses: &[Guess]) -> String {
    let mut out = String::new();
    if guesses.is_empty() {
        return "nothing that is known says this. Examine the connection itself: tidegate doctor TARGET\n".to_owned();
    }
    for Guess { cause, certainty, matched, .. } in guesses {
        let matched: Vec<_> = matched.iter().map(|text| format!("{text:?}")).collect();
        write!(
            out,
            "{} {} [{}]\n    by     {}\n    why    {}\n    apart  {}\n    do     {}\n",
            certainty.name(),
            cause.title,
            cause.code,
            matched.join(", "),
            cause.why,
            cause.apart,
            cause.cure
        )
        .expect("writing to a String does not fail");
    }
    let codes: BTreeSet<_> = guesses.iter().map(|guess| guess.cause.code).collect();
    if codes.len() > 1 {
        out.push_str("a text decides nothing; tidegate doctor TARGET tells these apart\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::causes_of;

    #[test]
    fn a_failure_of_a_connector_is_shown_with_the_cause_and_the_cure_that_its_text_tells() {
        let text = "could not write to bucket lake: no session: sts:AssumeRole for role arn:aws:iam::111111111111:role/o as \
            arn:aws:iam::222222222222:user/v was refused with AccessDenied (403): User: arn:aws:iam::222222222222:user/v is \
            not authorized to perform: sts:TagSession on resource: arn:aws:iam::111111111111:role/o";
        let causes = causes_of(text);
        assert!(causes[0].contains("[trust.tag-session-not-allowed]: allow sts:TagSession"), "{causes:?}");
        assert!(causes_of("the printer is on fire").is_empty());
    }
}
