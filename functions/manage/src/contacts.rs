//! Contacts: people, with their addresses on channels that serve many with one app.

use bellhop_core::{Code, Problem, model::Contact, ports::Kind};

use crate::records::Said;

impl Said for Contact {
    const KIND: Kind = Kind::Contact;
    const MOST: Option<usize> = None;
    const INNER: &[&str] = &[];

    fn check(&self) -> Result<(), Problem> {
        match self.broken() {
            Some((field, error)) => Err(Problem::field(Code::InvalidField, field, error.to_string())),
            None => Ok(()),
        }
    }
}
