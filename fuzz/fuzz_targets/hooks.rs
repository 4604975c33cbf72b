//! Any request to a hook of any kind. The first byte chooses the kind, the second the type of the body; the first line is the
//! query.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [kind, media, rest @ ..] = bytes else { return };
    let at = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (query, body) = rest.split_at(at);
    let Ok(query) = std::str::from_utf8(query) else { return };
    bellhop_ingest::fuzzing::report(usize::from(*kind), usize::from(*media), query, body.strip_prefix(b"\n").unwrap_or(body));
});
