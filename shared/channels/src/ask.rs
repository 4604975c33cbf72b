//! What goes before a message: a token, and questions whose answers the message needs.
//!
//! Whoever has them writes down, from the beginning, what it needs in its order; the first thing that is not there yet is the
//! next step. Answers are taken one after the other, so that what is left belongs to the message itself.

use bellhop_core::{
    SendError,
    channel::{Context, Outgoing, Reply, Step},
    token::{Credential, Secret},
};

/// The answers so far.
pub(crate) struct Answers<'a>(&'a [Reply]);

impl<'a> Answers<'a> {
    pub(crate) fn new(so_far: &'a [Reply]) -> Self {
        Self(so_far)
    }

    /// What is made of the answer to this question; the question itself, if it was not answered yet.
    pub(crate) fn to<T>(
        &mut self,
        question: impl FnOnce() -> Outgoing,
        read: impl FnOnce(&Reply) -> Result<T, Step>,
    ) -> Result<T, Step> {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                read(first)
            }
            None => Err(Step::Ask(question())),
        }
    }

    /// The last answer to the message itself.
    pub(crate) fn last(&self) -> Option<&'a Reply> {
        self.0.last()
    }

    /// Whether there are none left.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The token for this credential; the wish for one, if there is none yet.
pub(crate) fn token(cx: &Context, credential: impl FnOnce() -> Result<Credential, SendError>) -> Result<&Secret, Step> {
    match &cx.token {
        Some(token) => Ok(token),
        None => Err(credential().map_or_else(Step::Fail, Step::Token)),
    }
}

/// The step that these are, however they came to it.
pub(crate) fn either(step: Result<Step, Step>) -> Step {
    step.unwrap_or_else(|step| step)
}
