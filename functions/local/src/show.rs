//! Answers, as people and programs read them.
//!
//! On a terminal a table, else JSON. Promise: nothing that a table shows moves a cursor or begins a line of its own.

use std::io::{IsTerminal, stdout};

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

/// How an answer is printed.
#[derive(Args, Clone, Copy)]
pub(crate) struct Form {
    /// Print JSON, as where standard output is no terminal.
    #[arg(long, global = true, conflicts_with = "table")]
    json: bool,
    /// Print a table, as on a terminal.
    #[arg(long, global = true)]
    table: bool,
}

/// An answer, and what a table shows of it.
pub(crate) struct Shown {
    value: Value,
    /// Under which name the list lies that a table shows; the whole answer where there is none.
    list: Option<&'static str>,
    columns: &'static [&'static str],
}

impl Shown {
    /// One thing, its fields below each other.
    pub(crate) fn one(value: Value) -> Self {
        Self { value, list: None, columns: &[] }
    }

    /// What lies under `list` (the answer itself, where that is empty), a line each. Columns are paths, such as `batch.at`.
    pub(crate) fn list(value: Value, list: &'static str, columns: &'static [&'static str]) -> Self {
        Self { value, list: Some(list), columns }
    }

    pub(crate) fn print(&self, form: Form) -> String {
        if form.json || !(form.table || stdout().is_terminal()) {
            return serde_json::to_string_pretty(&self.value).unwrap_or_default();
        }
        let list = self.list.and_then(|list| if list.is_empty() { Some(&self.value) } else { self.value.get(list) });
        match list.and_then(Value::as_array) {
            Some(items) => table(items, self.columns),
            None => card(&self.value),
        }
    }
}

fn table(items: &[Value], columns: &[&str]) -> String {
    let mut table = bare();
    table.set_header(columns.iter().map(|column| column.to_uppercase()));
    for item in items {
        table.add_row(columns.iter().map(|column| cell(at(item, column))));
    }
    table.trim_fmt()
}

fn card(value: &Value) -> String {
    let mut fields = Vec::new();
    flatten("", value, &mut fields);
    let mut table = bare();
    for (name, text) in fields {
        table.add_row([name, text]);
    }
    table.trim_fmt()
}

fn bare() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table
}

/// The field at a path.
fn at<'a>(item: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(item, |value, field| value.get(field).unwrap_or(&Value::Null))
}

/// Objects by their fields; lists of plain things in one line.
fn flatten(name: &str, value: &Value, fields: &mut Vec<(String, String)>) {
    let below = |field: &str| if name.is_empty() { field.to_owned() } else { format!("{name}.{field}") };
    match value {
        Value::Object(object) if !object.is_empty() => {
            object.iter().for_each(|(field, value)| flatten(&below(field), value, fields));
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            (1..).zip(items).for_each(|(number, item)| flatten(&below(&number.to_string()), item, fields));
        }
        Value::Null => {}
        plain => fields.push((name.to_owned(), cell(plain))),
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(_) => cell(&Value::String(value.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn as_table(shown: &Shown) -> String {
        shown.print(Form { json: false, table: true })
    }

    #[test]
    fn a_list_is_a_table_of_its_columns() {
        let answer = json!({"items": [
            {"name": "desk", "batch": {"at": "12:00:00"}, "groups": ["a", "b"], "enabled": true},
            {"name": "客厅", "enabled": false},
        ]});
        let told = as_table(&Shown::list(answer, "items", &["name", "batch.at", "groups", "enabled"]));
        let lines: Vec<_> = told.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join("|")).collect();
        assert_eq!(lines, ["NAME|BATCH.AT|GROUPS|ENABLED", "desk|12:00:00|a,|b|yes", "客厅|no"]);
    }

    #[test]
    fn one_thing_is_its_fields() {
        let told =
            as_table(&Shown::one(json!({"name": "desk", "params": {"url": "https://e.com"}, "left": null, "n": [{"a": 1}]})));
        let lines: Vec<_> = told.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join("|")).collect();
        assert_eq!(lines, ["name|desk", "params.url|https://e.com", "n.1.a|1"]);
    }

    #[test]
    fn nothing_that_is_shown_moves_a_cursor() {
        let told = as_table(&Shown::one(json!({"name": "a\u{1b}[2Jb\nc"})));
        assert!(told.chars().all(|character| !character.is_control()), "{told:?}");
    }
}
