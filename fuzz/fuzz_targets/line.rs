//! Any bytes as a line of `tidegate policy eval`: an answer that is one line of JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    let answer = iam::answer(line);
    assert!(!answer.reason().is_empty());
    let _ = iam::Answer::too_long(line, 1);
});
