//! What must be true of a delivery at the end, whatever happened on the way.

use bellhop_core::model::{Delivery, Outcome};

use crate::Answer;

/// A promise that was not kept; the text says which, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(pub String);

/// Judges a row by what the provider did to its attempts. `rounds` is how many rounds people asked for, the first included.
pub fn judge(row: &Delivery, answers: &[Answer], rounds: usize) -> Result<(), Violation> {
    let count = |outcome| row.attempts.iter().filter(|attempt| attempt.outcome == outcome).count();
    let (unknown, delivered) = (count(Outcome::Unknown), count(Outcome::Delivered));
    let taken = answers.iter().filter(|answer| answer.is_taken()).count();
    let mut earlier_unknown = false;
    let labels_are_right = row.attempts.iter().all(|attempt| {
        let is_right = attempt.repeated == earlier_unknown;
        earlier_unknown |= attempt.outcome == Outcome::Unknown;
        is_right
    });
    let promises = [
        (row.state.is_final(), "it is not final"),
        (answers.len() <= row.attempts.len(), "something was sent that no attempt tells of"),
        (taken <= unknown + delivered, "the provider took it, and it is recorded as surely not delivered"),
        (delivered <= rounds, "it was sent again after it was surely delivered"),
        (delivered <= taken, "it is recorded as delivered, and the provider never took it"),
        (labels_are_right, "a possible repetition is not labelled as one, or the other way round"),
        (row.attempts.iter().map(|attempt| attempt.n).eq((1..).take(row.attempts.len())), "its attempts are not numbered"),
        (row.lease.is_none() && row.due.is_none(), "it is final, and still has a lease or a date"),
    ];
    match promises.into_iter().find(|(kept, _)| !kept) {
        None => Ok(()),
        Some((_, broken)) => Err(Violation(format!("{broken}; the provider did {answers:?}; the row is {row:?}"))),
    }
}
