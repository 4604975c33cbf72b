//! Rules: who hears of which events. What is saved is what was written, checked.

use bellhop_core::{Code, Problem, Timestamp, model::Rule, ports::Kind, rules::wording};

use crate::records::Said;

/// How many recipients, and patterns of a kind, a rule has at most.
const MOST_ENTRIES: usize = 100;

impl Said for Rule {
    const KIND: Kind = Kind::Rule;
    // each event is held against all of them
    const MOST: Option<usize> = Some(200);
    const INNER: &str = "match";

    fn check(&self) -> Result<(), Problem> {
        for (field, template) in [("title", &self.title), ("body", &self.body)] {
            if let Some(template) = template {
                wording::check(template)
                    .map_err(|why| Problem::field(Code::InvalidField, field, format!("no template: {why}")))?;
            }
        }
        if self.to.is_empty() {
            let detail = "it names nobody; give a registration, `group:…` or `event.send_to`";
            return Err(Problem::field(Code::InvalidField, "to", detail));
        }
        let lengths =
            [("to", self.to.len()), ("match.sources", self.matching.sources.len()), ("match.types", self.matching.types.len())];
        match lengths.into_iter().find(|(_, length)| *length > MOST_ENTRIES) {
            Some((field, _)) => Err(Problem::field(Code::TooManyItems, field, format!("it has {MOST_ENTRIES} entries at most"))),
            None => Ok(()),
        }
    }

    fn note(&mut self, old: Option<&Self>, now: Timestamp) -> Result<(), Problem> {
        let known = old.and_then(|old| old.created_at);
        if self.created_at.is_some_and(|said| Some(said) != known) {
            let detail = "it is not set by anybody; leave it out";
            return Err(Problem::field(Code::InvalidField, "created_at", detail));
        }
        self.created_at = if old.is_some() { known } else { Some(now) };
        Ok(())
    }
}
