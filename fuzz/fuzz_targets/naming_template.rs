//! Any text: no template of object names, or one.
#![no_main]

use connectors::naming::Template;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Template::parse(text);
});
