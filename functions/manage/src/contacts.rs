//! Contacts: people, with their addresses on channels that serve many with one app.

use bellhop_core::{Code, Problem, model::Contact, ports::Kind};

use crate::records::Said;

impl Said for Contact {
    const KIND: Kind = Kind::Contact;
    // they are never read together
    const MOST: Option<usize> = None;
    const INNER: &[&str] = &[];

    fn check(&self) -> Result<(), Problem> {
        match self.broken() {
            Some((field, why)) => Err(Problem::field(Code::InvalidField, field, why)),
            None => Ok(()),
        }
    }
}
