//! Which language a page speaks: what the browser asks for.

use axum::http::{HeaderMap, header};
use bellhop_core::model::Language;

/// Texts of pages, each in both languages: `NAME = "English", "中文";`.
macro_rules! texts {
    ($($name:ident = $en:literal, $zh:literal;)*) => {
        $(pub(crate) const $name: bellhop_core::channel::Text = bellhop_core::channel::Text { en: $en, zh: $zh };)*
    };
}
pub(crate) use texts;

/// The language that the headers ask for.
pub(crate) fn asked_for(headers: &HeaderMap) -> Language {
    let ranges = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
    preferred(&ranges.collect::<Vec<_>>().join(","))
}

/// The attribute `lang` of a page.
pub(crate) fn tag(language: Language) -> &'static str {
    match language {
        Language::English => "en",
        Language::Chinese => "zh-CN",
    }
}

/// The one of ours that comes first in `Accept-Language`. <https://www.rfc-editor.org/rfc/rfc9110#field.accept-language>
fn preferred(ranges: &str) -> Language {
    let weighed = ranges.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let tag = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |weight| weight.parse::<f32>().ok())?;
        let is_ours = ["en", "zh"].iter().any(|ours| tag.split('-').next().is_some_and(|tag| tag.eq_ignore_ascii_case(ours)));
        (is_ours && weight > 0.0).then(|| (Language::of(tag), weight))
    });
    // the first of those that weigh most
    let best = weighed.reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map_or(Language::English, |(language, _)| language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browsers_first_language_that_is_ours_is_spoken() {
        for chinese in ["zh", "zh-CN,zh;q=0.9,en;q=0.8", "fr, zh-TW;q=0.5", "en;q=0.3,zh;q=0.7", "en;q=0,ZH-hans;q=0.1"] {
            assert_eq!(preferred(chinese), Language::Chinese, "{chinese}");
        }
        for english in ["", "*", "en", "en-GB,zh;q=0.9", "fr", "zh;q=0", "zh;q=x", ";;,,", "enough, zhou"] {
            assert_eq!(preferred(english), Language::English, "{english}");
        }
    }
}
