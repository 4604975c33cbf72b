//! Any text as all of a channel's parameters on one line, or as an object of them. The first byte chooses the channel. What is
//! taken for parameters is checked, and prints none of them.
#![no_main]

use bellhop_channels::ALL;
use bellhop_core::{channel::Params, short};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let [channel, rest @ ..] = bytes else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let spec = ALL.specs[usize::from(*channel) % ALL.specs.len()];
    let object = match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        _ => short::read(spec, text),
    };
    if let Ok(params) = object.and_then(|object| Params::parse(spec, object)) {
        let _ = (spec.check)(&params);
        for value in params.expose().values().filter_map(Value::as_str).filter(|value| value.len() > 40) {
            assert!(!format!("{params:?}").contains(value));
        }
    }
});
