//! Parameters written on one line, as QD writes them: `a;b;c`, each position one parameter.
//!
//! A position may be empty, and empty ones at the end may be left out; where a URL belongs, a bare host is an `https://` one.
//! Promise: what is written is never repeated in an error, since most of it is secret. Left to others: whether the parameters
//! are good for anything ([`crate::channel::Params`]).

use serde_json::{Map, Value};

use crate::{
    Code, Problem,
    channel::{Kind, Spec},
};

/// How a channel's parameters are written on one line.
#[derive(Debug, Clone, Copy)]
pub enum Short {
    /// Parameters by position.
    Positions(&'static [&'static str]),
    /// In a way of its own; what is wrong, if it is.
    Own(fn(&str) -> Result<Map<String, Value>, &'static str>),
}

/// Reads one line of a channel's parameters.
pub fn read(spec: &Spec, line: &str) -> Result<Map<String, Value>, Problem> {
    let problem = |detail: String| Problem::field(Code::InvalidParams, "params", detail);
    match spec.short {
        None => Err(problem(format!("`{}` has no `a;b;c` form; give an object of its parameters", spec.id))),
        Some(Short::Own(own)) => own(line.trim().trim_end_matches(';')).map_err(|detail| problem(detail.to_owned())),
        Some(Short::Positions(names)) => {
            let written: Vec<_> = line.trim().split(';').map(str::trim).collect();
            if written.iter().skip(names.len()).any(|text| !text.is_empty()) {
                return Err(problem(format!("`{}` takes `{}` on one line, and no more", spec.id, names.join(";"))));
            }
            let filled = names.iter().zip(written).filter(|(_, text)| !text.is_empty());
            Ok(filled.map(|(name, text)| ((*name).to_owned(), value(spec, name, text).into())).collect())
        }
    }
}

fn value(spec: &Spec, name: &str, text: &str) -> String {
    let is_url = spec.params.iter().any(|param| param.name == name && param.kind == Kind::Url);
    if is_url { with_scheme(text) } else { text.to_owned() }
}

/// A bare host is reached by `https://`.
pub fn with_scheme(address: &str) -> String {
    if address.contains("://") { address.to_owned() } else { format!("https://{address}") }
}
