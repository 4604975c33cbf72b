//! Forms. A field has the name that it has in the API's body, `params.url` for example, so that a refusal is shown beside the
//! field that it names, with what was typed kept.

use bellhop_core::channel::Text;
use maud::{Markup, html};

use crate::{
    call::Refusal,
    fields::Fields,
    language::texts,
    visitor::{TOKEN, Visitor},
};

texts! {
    OPTIONAL = "optional", "可选";
    YES = "Yes, go on", "确定";
}

/// The field that tells this form from the next one that is drawn: what is sent twice is made once.
pub(crate) const ONCE: &str = "once";

/// A form that is drawn for a visitor: with what it begins with or what was typed, and why that was refused, if it was.
pub(crate) struct Form<'a> {
    pub(crate) visitor: &'a Visitor,
    pub(crate) fields: &'a Fields,
    pub(crate) refusal: Option<&'a Refusal>,
}

/// One field of it.
pub(crate) struct Field<'a> {
    /// Its path in the API's body.
    pub(crate) name: &'a str,
    pub(crate) label: &'a str,
    /// What it is, and where its value comes from.
    pub(crate) help: Option<Markup>,
    /// Whether the browser asks for it.
    pub(crate) required: bool,
    /// Whether it says that it may be left empty: what is not required here may still be needed, unless it comes another way.
    pub(crate) optional: bool,
    pub(crate) control: Control<'a>,
}

/// How it is filled in.
pub(crate) enum Control<'a> {
    /// A line of text.
    Line,
    /// A line of text that is not shown while it is typed.
    Secret,
    /// A whole number.
    Number,
    /// Text of several lines.
    Area,
    /// A box to tick.
    Box,
    /// One of these: the value, and what people read.
    Choice(Vec<(&'a str, &'a str)>),
    /// Any of these, boxes under one name.
    Several(Vec<(&'a str, &'a str)>),
}

impl<'a> Field<'a> {
    /// An optional line without help.
    pub(crate) fn line(name: &'a str, label: &'a str) -> Self {
        Self { name, label, help: None, required: false, optional: true, control: Control::Line }
    }

    pub(crate) fn required(self) -> Self {
        Self { required: true, optional: false, ..self }
    }

    pub(crate) fn help(self, help: &str) -> Self {
        Self { help: Some(html! { (help) }), ..self }
    }

    pub(crate) fn control(self, control: Control<'a>) -> Self {
        Self { control, ..self }
    }
}

impl Form<'_> {
    /// The whole form: why it was refused, what is in it, the button.
    pub(crate) fn draw(&self, action: &str, content: &Markup, submit: &str) -> Markup {
        self.draw_beside(action, content, submit, &html! {})
    }

    /// The same with another button behind the one that Enter presses.
    pub(crate) fn draw_beside(&self, action: &str, content: &Markup, submit: &str, other: &Markup) -> Markup {
        html! {
            form.fields method="post" action=(action) {
                (hidden_token(self.visitor))
                input type="hidden" name=(ONCE) value=(self.visitor.once());
                (refused(self.refusal))
                (content)
                p { button.primary type="submit" { (submit) } " " (other) }
            }
        }
    }

    /// A field with its label, its help, and what is wrong with it.
    pub(crate) fn field(&self, field: &Field) -> Markup {
        let id = id_of(field.name);
        let wrong = self.refusal.filter(|refusal| refusal.field.as_deref().is_some_and(|path| is_within(path, field.name)));
        let (help_id, error_id) = (format!("{id}-help"), format!("{id}-error"));
        let described = [field.help.as_ref().map(|_| help_id.as_str()), wrong.map(|_| error_id.as_str())];
        let described = described.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let common = Common {
            name: field.name,
            value: self.fields.get(field.name),
            described: Some(described).filter(|ids| !ids.is_empty()),
            is_wrong: wrong.is_some(),
            is_required: field.required,
            id,
        };
        let help = html! { @if let Some(help) = &field.help { p.help id=(help_id) { (help) } } };
        let error = html! { @if let Some(wrong) = wrong { p.error id=(error_id) lang=[wrong.lang()] { (wrong.detail) } } };
        match &field.control {
            Control::Box => html! {
                div.field.box { div { (common.tick(self.fields.is_on(field.name), None)) label for=(common.id) { (field.label) } } (help) (error) }
            },
            Control::Several(choices) => html! {
                fieldset.field aria-describedby=[common.described.as_deref()] {
                    legend { (field.label) }
                    (help)
                    @for (value, label) in choices {
                        label.choice {
                            input type="checkbox" name=(field.name) value=(value) checked[self.fields.all(field.name).any(|on| on == *value)]
                                aria-invalid=[common.is_wrong.then_some("true")];
                            " " (label)
                        }
                    }
                    (error)
                }
            },
            control @ (Control::Line | Control::Secret | Control::Number | Control::Area | Control::Choice(_)) => html! {
                div.field {
                    label for=(common.id) {
                        (field.label)
                        @if field.optional { " " span.optional { "(" (self.visitor.say(OPTIONAL)) ")" } }
                    }
                    (help)
                    (common.draw(control))
                    (error)
                }
            },
        }
    }
}

/// What every control of a field has.
struct Common<'a> {
    id: String,
    name: &'a str,
    value: &'a str,
    described: Option<String>,
    is_wrong: bool,
    is_required: bool,
}

impl Common<'_> {
    fn draw(&self, control: &Control) -> Markup {
        match control {
            Control::Line => self.input("text", "off"),
            Control::Secret => self.input("password", "new-password"),
            Control::Number => html! {
                input id=(self.id) name=(self.name) value=(self.value) type="text" inputmode="numeric" autocomplete="off"
                    required[self.is_required] autofocus[self.is_wrong]
                    aria-invalid=[self.is_wrong.then_some("true")] aria-describedby=[self.described.as_deref()];
            },
            Control::Area => html! {
                textarea id=(self.id) name=(self.name) rows="5" required[self.is_required] autofocus[self.is_wrong]
                    // the first line end of a text area is its own
                    aria-invalid=[self.is_wrong.then_some("true")] aria-describedby=[self.described.as_deref()] { "\n" (self.value) }
            },
            Control::Choice(choices) => html! {
                select id=(self.id) name=(self.name) required[self.is_required] autofocus[self.is_wrong]
                    aria-invalid=[self.is_wrong.then_some("true")] aria-describedby=[self.described.as_deref()] {
                    @for (value, label) in choices {
                        option value=(value) selected[*value == self.value] { (label) }
                    }
                }
            },
            Control::Box | Control::Several(_) => self.tick(false, None),
        }
    }

    fn input(&self, kind: &str, autocomplete: &str) -> Markup {
        html! {
            input id=(self.id) name=(self.name) value=(self.value) type=(kind) autocomplete=(autocomplete) spellcheck="false"
                required[self.is_required] autofocus[self.is_wrong]
                aria-invalid=[self.is_wrong.then_some("true")] aria-describedby=[self.described.as_deref()];
        }
    }

    fn tick(&self, is_on: bool, value: Option<&str>) -> Markup {
        html! {
            input id=(self.id) name=(self.name) type="checkbox" value=(value.unwrap_or("on")) checked[is_on] autofocus[self.is_wrong]
                aria-invalid=[self.is_wrong.then_some("true")] aria-describedby=[self.described.as_deref()];
        }
    }
}

/// Why a form was refused, on top of it: also what is wrong with no one field.
pub(crate) fn refused(refusal: Option<&Refusal>) -> Markup {
    html! {
        @if let Some(refusal) = refusal {
            p.refused role="alert" lang=[refusal.lang()] {
                @if let Some(field) = &refusal.field { code { (field) } ": " }
                (refusal.detail) " " code.code { (refusal.code) }
            }
        }
    }
}

/// A form that is a button: it does what it says at once.
pub(crate) fn button(visitor: &Visitor, action: &str, label: Text) -> Markup {
    html! {
        form.inline method="post" action=(action) {
            (hidden_token(visitor))
            button type="submit" { (visitor.say(label)) }
        }
    }
}

/// The same for what cannot be undone: asked once more.
pub(crate) fn confirmed(visitor: &Visitor, action: &str, label: Text, question: &str) -> Markup {
    html! {
        details.confirm {
            summary { (visitor.say(label)) }
            form method="post" action=(action) {
                (hidden_token(visitor))
                p { (question) }
                button.danger type="submit" { (visitor.say(YES)) }
            }
        }
    }
}

/// What shows that a form was drawn for this session.
pub(crate) fn hidden_token(visitor: &Visitor) -> Markup {
    html! { input type="hidden" name=(TOKEN) value=(visitor.session().form_token()); }
}

/// The id of a field's control in the page.
fn id_of(name: &str) -> String {
    let plain: String = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    format!("f-{plain}")
}

/// Whether that path of the API leads to this field, or to something within it: `groups[2]` within `groups`.
fn is_within(path: &str, field: &str) -> bool {
    path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_belongs_to_the_field_that_its_path_begins_with() {
        for (path, field) in [("params.url", "params.url"), ("groups[2]", "groups"), ("params.headers.X-Key", "params.headers")] {
            assert!(is_within(path, field), "{path}");
        }
        for (path, field) in [("params.url_path", "params.url"), ("params", "params.url"), ("name", "names")] {
            assert!(!is_within(path, field), "{path}");
        }
    }
}
