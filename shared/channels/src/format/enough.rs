//! How much of a text is read, where no more than its beginning is shown.
//!
//! What is read is counted by what is surely shown: white space may vanish, everything else takes its room in whatever
//! format it is written. Promise: what is left out of a text that is then cut to its limit would have been cut as well.

use bellhop_core::channel::{Limit, Unit};

/// Bytes of UTF-8 that are still to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Enough(usize);

impl Enough {
    /// All there is.
    pub(crate) const ALL: Self = Self(usize::MAX);

    /// More than this limit lets through, whatever the characters.
    pub(crate) fn over(limit: Limit) -> Self {
        let most_bytes = match limit.unit {
            Unit::Bytes => 1,
            Unit::Chars => 4,
            Unit::Utf16 => 3, // two of them make the characters of four bytes
        };
        Self(limit.max.saturating_mul(most_bytes))
    }

    /// What is left once this character was read; nothing if that is more than enough.
    pub(crate) fn after(self, character: char) -> Option<Self> {
        let shown = if character.is_whitespace() { 0 } else { character.len_utf8() };
        self.0.checked_sub(shown).map(Self)
    }

    /// The same after a whole text.
    pub(crate) fn after_all(self, text: &str) -> Option<Self> {
        text.chars().try_fold(self, Self::after)
    }

    /// As much of a text as is more than enough, or all of it.
    pub(crate) fn of(self, text: &str) -> &str {
        let mut left = Some(self);
        let is_beyond = |(_, character): &(usize, char)| match left {
            Some(enough) => {
                left = enough.after(*character);
                false
            }
            None => true,
        };
        let end = text.char_indices().find(is_beyond).map_or(text.len(), |(at, _)| at);
        text.get(..end).unwrap_or(text)
    }
}

#[cfg(test)]
mod tests {
    use bellhop_core::render::length;
    use proptest::prelude::*;

    use super::*;
    use crate::sample;

    #[test]
    fn white_space_is_not_counted_since_it_may_vanish() {
        let three = Enough::over(Limit { max: 3, unit: Unit::Bytes });
        for (text, read) in
            [("abc", "abc"), ("abcde", "abcd"), ("a  b\n c d e", "a  b\n c d"), ("测试", "测试"), ("测试测", "测试")]
        {
            assert_eq!(three.of(text), read);
        }
    }

    proptest! {
        #[test]
        fn enough_of_a_text_is_all_of_it_or_over_the_limit(text in sample::any_text(), max in 0_usize..40) {
            for unit in [Unit::Bytes, Unit::Chars, Unit::Utf16] {
                let read = Enough::over(Limit { max, unit }).of(&text);
                prop_assert!(read == text || length(read, unit) > max);
            }
        }
    }
}
