//! Tables of what there may be a lot of: a page at a time.

use maud::{Markup, html};

use crate::{call::Listed, fields::Fields, language::texts, visitor::Visitor};

texts! {
    NEXT = "Next page", "下一页";
    FIRST = "First page", "第一页";
    NOTHING = "There is nothing here yet.", "这里还没有内容。";
}

/// A table with a name for those who do not see it. Each row is a `tr`.
pub(crate) fn table(visitor: &Visitor, name: &str, heads: &[&str], rows: &[Markup]) -> Markup {
    html! {
        @if rows.is_empty() {
            p.empty { (visitor.say(NOTHING)) }
        } @else {
            // it scrolls by itself on a narrow screen, and so has to be reached by the keyboard
            div.scroll role="region" aria-label=(name) tabindex="0" {
                table {
                    caption.unseen { (name) }
                    thead { tr { @for head in heads { th scope="col" { (head) } } } }
                    tbody { @for row in rows { (row) } }
                }
            }
        }
    }
}

/// The way to the next page of a list, under the same filters, and back to the first.
pub(crate) fn pager(visitor: &Visitor, path: &str, query: &Fields, filters: &[&str], page: &Listed) -> Markup {
    let first = format!("{path}{}", query.query(filters));
    let next = page.next_cursor.as_ref().map(|cursor| {
        let names: Vec<_> = filters.iter().copied().chain(["cursor"]).collect();
        format!("{path}{}", query.clone().without("cursor").with("cursor", cursor).query(&names))
    });
    html! {
        p.pager {
            @if query.text("cursor").is_some() { a href=(first) { (visitor.say(FIRST)) } " " }
            @if let Some(next) = next { a rel="next" href=(next) { (visitor.say(NEXT)) } }
        }
    }
}
