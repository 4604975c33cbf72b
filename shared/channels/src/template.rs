//! Texts into a template, in one pass: what stands in a text is never read as a mark again, and every text is written the
//! way its place demands.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// All but the unreserved characters. <https://www.rfc-editor.org/rfc/rfc3986#section-2.3>
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Marks, and the texts that take their place.
pub(crate) struct Texts<'a, const N: usize>(pub(crate) [(&'static str, &'a str); N]);

impl<const N: usize> Texts<'_, N> {
    /// Into plain text: the texts as they are.
    pub(crate) fn plain(&self, template: &str) -> String {
        self.fill(template, str::to_owned)
    }

    /// Into a URL: the texts percent-encoded.
    pub(crate) fn url(&self, template: &str) -> String {
        self.fill(template, percent_encoded)
    }

    /// Into JSON: the texts escaped. Where [`is_json`] holds, marks can only stand inside strings, so the result is JSON
    /// again, and untouched everywhere else: no number is rounded, no key moves.
    pub(crate) fn json(&self, template: &str) -> String {
        self.fill(template, json_escaped)
    }

    fn fill(&self, template: &str, write: impl Fn(&str) -> String) -> String {
        let mut filled = String::with_capacity(template.len());
        let mut rest = template.chars();
        loop {
            let behind = |&(mark, text): &(&str, _)| Some((rest.as_str().strip_prefix(mark)?, text));
            if let Some((behind, text)) = self.0.iter().find_map(behind) {
                filled.push_str(&write(text));
                rest = behind.chars();
            } else if let Some(character) = rest.next() {
                filled.push(character);
            } else {
                return filled;
            }
        }
    }
}

/// A text as it stands in a URL.
pub(crate) fn percent_encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// A text as it stands inside the quotes of a JSON string.
pub(crate) fn json_escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or_default().to_owned()
}

/// Whether a template is JSON before anything is filled in.
pub(crate) fn is_json(template: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(template).is_ok()
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;
    use crate::sample::any_text;

    fn texts<'a>(title: &'a str, log: &'a str) -> Texts<'a, 2> {
        Texts([("{t}", title), ("{log}", log)])
    }

    #[test]
    fn a_mark_inside_a_text_is_not_filled_again() {
        assert_eq!(texts("cost {log}", "secret {t}").plain("{t}|{log}"), "cost {log}|secret {t}");
    }

    #[test]
    fn what_is_no_mark_stays_as_it_is() {
        assert_eq!(texts("T", "L").plain("{x} {t {{t}} {lo{log} 😀"), "{x} {t {T} {loL 😀");
    }

    #[test]
    fn unreserved_characters_stay_in_a_url_and_all_others_are_encoded() {
        for (text, encoded) in [
            ("AZaz09-_.~", "AZaz09-_.~"),
            ("a b+c*", "a%20b%2Bc%2A"),
            ("!'()", "%21%27%28%29"),
            ("=&?#%/", "%3D%26%3F%23%25%2F"),
            ("好\r\n", "%E5%A5%BD%0D%0A"),
        ] {
            assert_eq!(texts(text, "").url("{t}"), encoded);
        }
    }

    #[test]
    fn a_number_in_json_keeps_its_digits() {
        let template = r#"{"n":1.10,"big":123456789012345678901234567890,"t":"{t}"}"#;
        assert_eq!(texts("\"\n", "").json(template), template.replace("{t}", r#"\"\n"#));
    }

    proptest! {
        #[test]
        fn any_text_survives_json(title in any_text(), log in any_text()) {
            let template = r#"{"a {t}":["{log}","<{t}{log}>"]}"#;
            prop_assert!(is_json(template));
            let read: Value = serde_json::from_str(&texts(&title, &log).json(template)).unwrap();
            let texts = read[format!("a {title}")].as_array().unwrap();
            prop_assert_eq!(&texts[0], &Value::from(log.clone()));
            prop_assert_eq!(&texts[1], &Value::from(format!("<{title}{log}>")));
        }

        #[test]
        fn any_text_survives_a_url(title in any_text(), log in any_text()) {
            let filled = texts(&title, &log).url("{t}&{log}");
            let (first, second) = filled.split_once('&').unwrap();
            prop_assert_eq!(percent_decode_str(first).decode_utf8().unwrap(), title);
            prop_assert_eq!(percent_decode_str(second).decode_utf8().unwrap(), log);
        }
    }
}
