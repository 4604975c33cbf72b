//! A digest as plain text. The Chinese one reads like QD's.

use super::{Language, Style};
use crate::digest::content::Tally;

pub(super) struct Text(pub(super) Language);

impl Style for Text {
    fn around(&self) -> (&'static str, &'static str) {
        ("", "")
    }

    fn note(&self, words: &str) -> String {
        format!("{words}\n")
    }

    fn link(&self, words: &str, url: &str) -> String {
        format!("{words}: {url}\n")
    }

    fn bar(&self, _tally: Tally) -> Option<String> {
        None
    }

    fn site(&self, name: &str) -> String {
        match self.0 {
            Language::English => format!("\n== {name} ==\n"),
            Language::Chinese => format!("\n=====站点: {name}=====\n"),
        }
    }

    fn task(&self, number: usize, name: &str, counted: &str, first: bool) -> String {
        let apart = if first { "" } else { "\n" };
        match self.0 {
            Language::English if counted.is_empty() => format!("{apart}{name}\n"),
            Language::English => format!("{apart}{name}: {counted}\n"),
            Language::Chinese if counted.is_empty() => format!("{apart}-----任务{number}-{name}-----\n"),
            Language::Chinese => format!("{apart}-----任务{number}-{name}（{counted}）-----\n"),
        }
    }

    fn remark(&self, words: &str) -> String {
        format!("{words}\n")
    }

    fn line(&self, at: &str, mark: &str, words: &str, remarks: &str) -> String {
        match self.0 {
            Language::English => format!("{at} {mark} {words}{remarks}\n"),
            Language::Chinese => format!("时间: {at}\n日志: {mark} {words}{remarks}\n"),
        }
    }
}
