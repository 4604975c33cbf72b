//! Any bytes as an event or a message: they are refused with a code, or become a draft with a text.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    bellhop_ingest::fuzzing::event(bytes);
    bellhop_ingest::fuzzing::message(bytes);
});
