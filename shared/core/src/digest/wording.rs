//! placeholder until the texts come
use super::content::Content;
use crate::{channel::Limit, model::Format};
/// l
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// e
    English,
    /// c
    Chinese,
}
impl Language {
    /// o
    pub fn of(locale: &str) -> Self {
        if locale.to_lowercase().starts_with("zh") { Self::Chinese } else { Self::English }
    }
}
/// f
pub fn form(_shows: &[Format]) -> Format {
    Format::Text
}
/// p
pub struct Part {
    /// t
    pub title: String,
    /// m
    pub message: String,
}
/// p
pub fn parts(content: &Content, _l: Language, _f: Format, _t: Option<Limit>, _b: Option<Limit>) -> Vec<Part> {
    let mut message = String::new();
    for site in &content.sites {
        for task in &site.tasks {
            for line in &task.lines {
                message.push_str(&format!("{}/{}: {}\n", site.name, task.name, line.text));
            }
        }
    }
    vec![Part { title: content.rule.to_string(), message }]
}
