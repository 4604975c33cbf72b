//! What stands around every page: head, navigation, the notice of what was just done.

use axum::response::Html;
use bellhop_core::{channel::Text, model::Language};
use maud::{DOCTYPE, Markup, html};

use crate::{
    assets::{SCRIPT_AT, STYLE_AT},
    form::hidden_token,
    language::{tag, texts},
    visitor::Visitor,
};

texts! {
    SKIP = "Skip to the content", "跳到正文";
    PAGES = "Pages", "页面";
    SIGN_OUT = "Sign out", "退出登录";
    SAVED = "Saved.", "已保存。";
    DELETED = "Deleted.", "已删除。";
    DONE = "Done.", "已完成。";
    HOME = "Home", "首页";
    REGISTRATIONS = "Registrations", "推送注册";
    RULES = "Push settings", "推送设置";
}

/// A part of the console; each has its place in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Home,
    Registrations,
    Rules,
}

impl Section {
    /// In the order of the navigation.
    const ALL: [Self; 3] = [Self::Home, Self::Registrations, Self::Rules];

    fn path(self) -> &'static str {
        match self {
            Self::Home => crate::HOME,
            Self::Registrations => "/console/registrations",
            Self::Rules => "/console/rules",
        }
    }

    fn title(self) -> Text {
        match self {
            Self::Home => HOME,
            Self::Registrations => REGISTRATIONS,
            Self::Rules => RULES,
        }
    }
}

/// What was just done: said on the page that follows. It stands in that page's query as a word, `?notice=saved`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    Saved,
    Deleted,
    Done,
}

impl Notice {
    /// The notice of that word.
    pub(crate) fn of(word: &str) -> Option<Self> {
        match word {
            "saved" => Some(Self::Saved),
            "deleted" => Some(Self::Deleted),
            "done" => Some(Self::Done),
            _ => None,
        }
    }

    fn text(self) -> Text {
        match self {
            Self::Saved => SAVED,
            Self::Deleted => DELETED,
            Self::Done => DONE,
        }
    }
}

/// A page of somebody who is signed in.
pub(crate) fn page(visitor: &Visitor, section: Section, title: &str, content: &Markup) -> Html<String> {
    let before = html! {
        header.top {
            a.brand href=(crate::HOME) { "Bellhop" }
            nav aria-label=(visitor.say(PAGES)) {
                ul {
                    @for part in Section::ALL {
                        li { a href=(part.path()) aria-current=[(part == section).then_some("page")] { (visitor.say(part.title())) } }
                    }
                }
            }
            form.session method="post" action="/console/sign-out" {
                (hidden_token(visitor))
                span.account { (visitor.caller.account) }
                button type="submit" { (visitor.say(SIGN_OUT)) }
            }
        }
    };
    let content = html! {
        @if let Some(notice) = visitor.notice {
            p.notice role="status" { (visitor.say(notice.text())) }
        }
        (content)
    };
    document(visitor.language, title, &before, &content)
}

/// A page of nobody in particular.
pub(crate) fn bare(language: Language, title: &str, content: &Markup) -> Html<String> {
    let before = html! { header.top { a.brand href=(crate::HOME) { "Bellhop" } } };
    document(language, title, &before, &html! { div.narrow { (content) } })
}

fn document(language: Language, title: &str, before: &Markup, content: &Markup) -> Html<String> {
    let whole = html! {
        (DOCTYPE)
        html lang=(tag(language)) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Bellhop" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href=(*STYLE_AT);
                script src=(*SCRIPT_AT) defer {}
            }
            body {
                a.skip href="#main" { (SKIP.read_by(language)) }
                (before)
                main id="main" tabindex="-1" { (content) }
            }
        }
    };
    Html(whole.into_string())
}
