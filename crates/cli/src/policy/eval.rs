use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Write};

use iam::Answer;

use crate::args::Exit;
use crate::screen::Screen;

/// The longest line that is read. AWS's largest policy, a KMS key's, has 32 KiB, and a request has some tens of policies
/// at most.
const MAX_LINE: usize = 4 << 20;

/// `tidegate policy eval --stdin`: an answer for each line until the input ends.
pub(crate) fn stdin(screen: &Screen) -> Exit {
    match answer_all(io::stdin().lock(), io::stdout().lock(), MAX_LINE) {
        Ok(()) => Exit::Done,
        // A reader that has seen enough (`| head`) is no failure.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Exit::Done,
        Err(error) => {
            screen.print(format!("error: could not go on reading and answering: {error}\n").as_bytes());
            Exit::Failed
        }
    }
}

/// Answers go out before the next read that may wait, so that a caller can ask one by one.
fn answer_all(input: impl Read, output: impl Write, max_line: usize) -> io::Result<()> {
    let mut input = BufReader::with_capacity(64 << 10, input);
    let mut output = BufWriter::with_capacity(64 << 10, output);
    let mut line = Vec::new();
    while let Some(is_whole) = read_line(&mut input, &mut line, max_line)? {
        let answer = if is_whole { iam::answer(&line) } else { Answer::too_long(&line, max_line) };
        serde_json::to_writer(&mut output, &answer)?;
        output.write_all(b"\n")?;
        if input.buffer().is_empty() {
            output.flush()?;
        }
    }
    output.flush()
}

/// Reads one line without its end, and says whether it fits: of a longer one the rest is passed over. `None` at the end.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>, max_line: usize) -> io::Result<Option<bool>> {
    line.clear();
    let (mut is_whole, mut is_empty) = (true, true);
    loop {
        let available = match input.fill_buf() {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            available => available?,
        };
        if available.is_empty() {
            return Ok((!is_empty).then_some(is_whole));
        }
        is_empty = false;
        let end = available.iter().position(|&b| b == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        let fits = part.len().min(max_line - line.len());
        line.extend_from_slice(&part[..fits]);
        is_whole &= fits == part.len();
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            return Ok(Some(is_whole));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::answer_all;

    fn answers(input: &[u8], max_line: usize) -> Vec<serde_json::Value> {
        let mut output = Vec::new();
        answer_all(input, &mut output, max_line).unwrap();
        String::from_utf8(output).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    const ALLOWED: &str = r#"{"id":"1","identityPolicies":[{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::b/*"}]}],"request":{"action":"s3:GetObject","resource":"arn:aws:s3:::b/k","resourceAccount":"111111111111","principal":"arn:aws:iam::111111111111:user/ana","context":{}}}"#;

    #[test]
    fn each_line_has_its_answer_whatever_stands_in_it() {
        let input = [ALLOWED.as_bytes(), b"{\"id\":\"2\",", b"", b"\xff\xfe", b"[]", ALLOWED.as_bytes()].join(&b'\n');
        let answers = answers(&input, 1 << 20);
        let said: Vec<_> = answers.iter().map(|a| (a["id"].as_str(), a["decision"].as_str().unwrap())).collect();
        let invalid = |id| (id, "Invalid");
        let allow = (Some("1"), "Allow");
        assert_eq!(said, [allow, invalid(Some("2")), invalid(None), invalid(None), invalid(None), allow]);
    }

    #[test]
    fn a_line_without_bound_is_answered_by_its_id_and_passed_over() {
        let long = format!("{{\"id\":\"long\",\"x\":\"{}\"}}\n{ALLOWED}\n", "x".repeat(1 << 20));
        let answers = answers(long.as_bytes(), 1024);
        assert_eq!((answers.len(), answers[0]["id"].as_str()), (2, Some("long")));
        assert_eq!(answers[0]["reason"], "the line is longer than 1024 bytes");
        assert_eq!(answers[1]["decision"], "Allow");
    }

    #[test]
    fn no_input_has_no_answer() {
        assert!(answers(b"", 1024).is_empty());
    }
}
