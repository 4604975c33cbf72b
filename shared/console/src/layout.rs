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
    MESSAGES = "Messages", "消息";
    SEND = "Send", "发送";
    TASKS = "Tasks", "任务";
    CONTACTS = "Contacts", "联系人";
    HOOKS = "Hooks", "接入点";
    KEYS = "Keys", "密钥";
    ACCOUNT = "Account", "账户";
    BROWSER = "This browser", "本浏览器";
}

/// A part of the console; each has its place in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Home,
    Messages,
    Send,
    Tasks,
    Registrations,
    Rules,
    Contacts,
    Hooks,
    Keys,
    Account,
    Browser,
}

impl Section {
    /// In the order of the navigation.
    const ALL: [Self; 11] = [
        Self::Home,
        Self::Messages,
        Self::Send,
        Self::Tasks,
        Self::Registrations,
        Self::Rules,
        Self::Contacts,
        Self::Hooks,
        Self::Keys,
        Self::Account,
        Self::Browser,
    ];

    fn path(self) -> &'static str {
        match self {
            Self::Home => crate::HOME,
            Self::Messages => "/console/messages",
            Self::Send => "/console/send",
            Self::Tasks => "/console/tasks",
            Self::Registrations => "/console/registrations",
            Self::Rules => "/console/rules",
            Self::Contacts => "/console/contacts",
            Self::Hooks => "/console/hooks",
            Self::Keys => "/console/keys",
            Self::Account => "/console/account",
            Self::Browser => "/console/browser",
        }
    }

    fn title(self) -> Text {
        match self {
            Self::Home => HOME,
            Self::Messages => MESSAGES,
            Self::Send => SEND,
            Self::Tasks => TASKS,
            Self::Registrations => REGISTRATIONS,
            Self::Rules => RULES,
            Self::Contacts => CONTACTS,
            Self::Hooks => HOOKS,
            Self::Keys => KEYS,
            Self::Account => ACCOUNT,
            Self::Browser => BROWSER,
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
pub(crate) fn page(visitor: &Visitor, section: Option<Section>, title: &str, content: &Markup) -> Html<String> {
    let before = html! {
        header.top {
            a.brand href=(crate::HOME) { "Bellhop" }
            nav aria-label=(visitor.say(PAGES)) {
                ul {
                    @for part in Section::ALL {
                        li { a href=(part.path()) aria-current=[(Some(part) == section).then_some("page")] { (visitor.say(part.title())) } }
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
    document(visitor.language, title, visitor.hears_at(), &before, &content)
}

/// A page of nobody in particular.
pub(crate) fn bare(language: Language, title: &str, content: &Markup) -> Html<String> {
    let before = html! { header.top { a.brand href=(crate::HOME) { "Bellhop" } } };
    document(language, title, None, &before, &html! { div.narrow { (content) } })
}

fn document(language: Language, title: &str, hears_at: Option<&str>, before: &Markup, content: &Markup) -> Html<String> {
    let whole = html! {
        (DOCTYPE)
        html lang=(tag(language)) data-changes=[hears_at] {
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
