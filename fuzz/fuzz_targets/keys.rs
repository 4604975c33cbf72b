//! Any text as a key, an id, a name, a recipient, a source, a pattern: what is read prints what was read, and no secret.
#![no_main]

use bellhop_core::model::{AccountId, DeliveryId, EventId, KeyId, Name, Pattern, Recipient, Source};
use bellhop_http::key::parse_key;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(key) = parse_key(text) {
        assert_eq!(key.expose(), text);
        assert_eq!(key.hash().len(), 64);
        assert_eq!(format!("{key:?}"), format!("Credential({})", key.id));
    }
    fn reads_back<T: std::str::FromStr + std::fmt::Display>(text: &str) {
        if let Ok(read) = text.parse::<T>() {
            assert_eq!(read.to_string(), text);
        }
    }
    reads_back::<EventId>(text);
    reads_back::<DeliveryId>(text);
    reads_back::<KeyId>(text);
    reads_back::<Recipient>(text);
    let _ = (Name::parse(text), AccountId::parse(text), Source::parse(text));
    let (pattern, other) = text.split_once('\n').unwrap_or((text, text));
    if let Some(pattern) = Pattern::parse(pattern) {
        let _ = pattern.fits(&other.to_lowercase());
    }
});
