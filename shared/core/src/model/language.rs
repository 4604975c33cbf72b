//! The languages of texts that we write.

/// What a reader reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// Whoever does not read Chinese.
    English,
    /// Readers of `zh`, `zh-CN` and the like.
    Chinese,
}

impl Language {
    /// Of the readers of a locale.
    pub fn of(locale: &str) -> Self {
        let language = locale.split(['-', '_']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("zh") { Self::Chinese } else { Self::English }
    }
}
