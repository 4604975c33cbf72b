//! What a mail server's reply means. The first digit says whether to try again, and the enhanced code behind it knows better:
//! <https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1>, <https://www.rfc-editor.org/rfc/rfc3463>.
//!
//! The server's own words are not shown: they like to repeat an address. Its codes are, with what to do next.

use std::time::Duration;

use bellhop_core::{
    Reason, Retry, SendError,
    mail::{Mailed, Receipt, SmtpReply},
};

/// How long servers that keep a grey list, or count messages, want to be left alone.
const GREY: Duration = Duration::from_mins(5);

/// How many refused recipients are told one by one.
const MOST_TOLD: usize = 10;

/// What becomes of a mail. Where the recipients are the registration's `own` and nobody has any of the addresses, it is
/// switched off.
pub(crate) fn judge(answer: &Mailed, own: bool) -> Result<Receipt, SendError> {
    match answer {
        Mailed::Answered { recipients, message } if message.code == 250 => Ok(receipt(recipients)),
        Mailed::Answered { message: reply, .. } | Mailed::Refused(reply) => Err(refusal(reply)),
        Mailed::HeldBack(recipients) => {
            let error = answer.decisive().map_or_else(nobody, refusal);
            let dead = own && !recipients.is_empty() && recipients.iter().all(is_dead);
            Err(SendError { dead_address: dead, ..error })
        }
    }
}

fn receipt(recipients: &[SmtpReply]) -> Receipt {
    let refused: Vec<_> = (1..).zip(recipients).filter(|(_, reply)| !reply.is_positive()).collect();
    if refused.is_empty() {
        return Receipt::All;
    }
    let told: Vec<_> = refused.iter().take(MOST_TOLD).map(|(number, reply)| format!("number {number} with {reply}")).collect();
    let more = if refused.len() > MOST_TOLD { " and others" } else { "" };
    Receipt::Except(format!("{} of {} recipients were refused: {}{more}", refused.len(), recipients.len(), told.join(", ")))
}

fn nobody() -> SendError {
    SendError::new(Reason::InvalidParams, Retry::Never, "there is no recipient")
}

/// Nobody has the address: <https://www.rfc-editor.org/rfc/rfc3463#section-3.2>; or its domain takes no mail (5.1.10).
fn is_dead(reply: &SmtpReply) -> bool {
    !reply.is_transient() && matches!(reply.enhanced(), Some([_, 1, 1 | 10]))
}

fn refusal(reply: &SmtpReply) -> SendError {
    let (reason, retry, advice) = match (reply.code, reply.enhanced()) {
        (_, Some([_, 4, 5])) => (Reason::RateLimited, Retry::After(Duration::from_hours(24)), "today's quota is used up"),
        (450, _) if reply.is_transient() => {
            (Reason::RateLimited, Retry::After(GREY), "the server wants to be left alone for a while, as it does with strangers")
        }
        _ if reply.is_transient() => (Reason::ProviderError, Retry::Later, "it may be well soon"),
        (530 | 534 | 535 | 538, _) | (_, Some([_, 7, 8 | 9])) => (
            Reason::Unauthorized,
            Retry::Never,
            "look at `user` and `password`; many providers want a password made for programs",
        ),
        _ if is_dead(reply) => (Reason::Gone, Retry::Never, "nobody has this address"),
        (_, Some([_, 3, 4])) => (Reason::Rejected, Retry::Never, "the message is larger than the server takes"),
        (400.., _) => (Reason::Rejected, Retry::Never, "look the code up on the provider's page"),
        _ => (Reason::UnexpectedAnswer, Retry::Later, "which is no refusal that mail servers document"),
    };
    SendError::new(reason, retry, format!("the mail server answered {reply}; {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(line: &str) -> SmtpReply {
        SmtpReply::parse(line).unwrap()
    }

    fn replies(lines: &[&str]) -> Vec<SmtpReply> {
        lines.iter().map(|line| reply(line)).collect()
    }

    #[test]
    fn a_reply_decides_whether_to_try_again() {
        let day = Retry::After(Duration::from_hours(24));
        for (line, reason, retry) in [
            ("421 4.3.2 Service shutting down", Reason::ProviderError, Retry::Later),
            ("450 4.2.0 Greylisted", Reason::RateLimited, Retry::After(GREY)),
            ("450 too many", Reason::RateLimited, Retry::After(GREY)),
            ("451 later", Reason::ProviderError, Retry::Later),
            ("454 4.7.0 Temporary authentication failure", Reason::ProviderError, Retry::Later),
            ("550 4.7.1 slow", Reason::ProviderError, Retry::Later),
            ("550 5.4.5 Daily sending quota exceeded", Reason::RateLimited, day),
            ("535 5.7.8 bad", Reason::Unauthorized, Retry::Never),
            ("530 no", Reason::Unauthorized, Retry::Never),
            ("554 5.7.9 mechanism", Reason::Unauthorized, Retry::Never),
            ("550 5.1.1 who?", Reason::Gone, Retry::Never),
            ("550 who?", Reason::Rejected, Retry::Never),
            ("552 5.3.4 large", Reason::Rejected, Retry::Never),
            ("554 5.7.1 spam", Reason::Rejected, Retry::Never),
            ("354 go on", Reason::UnexpectedAnswer, Retry::Later),
        ] {
            let error = judge(&Mailed::Refused(reply(line)), true).unwrap_err();
            assert_eq!((error.reason, error.retry, error.dead_address), (reason, retry, false), "{line}");
        }
    }

    #[test]
    fn only_250_to_the_message_is_a_yes_and_who_was_refused_is_told_by_number() {
        let answered =
            |lines: &[&str], code: &str| judge(&Mailed::Answered { recipients: replies(lines), message: reply(code) }, true);
        assert_eq!(answered(&["250 ok", "251 forwarded"], "250 2.0.0 queued"), Ok(Receipt::All));
        let except = "1 of 2 recipients were refused: number 2 with 550 5.1.1";
        assert_eq!(answered(&["250 ok", "550 5.1.1 <bad@x.org> unknown"], "250 ok"), Ok(Receipt::Except(except.to_owned())));
        assert_eq!(answered(&["250 ok"], "451 later").unwrap_err().retry, Retry::Later);
        assert_eq!(answered(&["250 ok"], "252 maybe").unwrap_err().reason, Reason::UnexpectedAnswer);
    }

    #[test]
    fn a_registration_is_switched_off_if_nobody_has_any_of_its_own_addresses() {
        let dead = |lines: &[&str], own| judge(&Mailed::HeldBack(replies(lines)), own).unwrap_err().dead_address;
        assert!(dead(&["550 5.1.1 a", "550 5.1.1 b"], true));
        assert!(!dead(&["550 5.1.1 a", "550 5.1.1 b"], false), "the message named them");
        assert!(!dead(&["550 5.1.1 a", "550 5.7.1 spam"], true));
        assert!(!dead(&["550 5.1.1 a", "450 4.2.0 later"], true));
    }

    #[test]
    fn who_asks_to_wait_decides_for_all() {
        let error = judge(&Mailed::HeldBack(replies(&["550 5.1.1 a", "250 ok", "450 4.2.0 later"])), true).unwrap_err();
        assert_eq!((error.reason, error.retry), (Reason::RateLimited, Retry::After(GREY)));
    }
}
