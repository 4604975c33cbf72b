//! Headers of a request: a later one takes the place of an earlier one, and every value is one line.

use bellhop_core::{
    Code, Problem,
    channel::{Param, Params},
};

/// What belongs to the connection and not to the message: the HTTP client sets it.
const OURS: [&str; 8] =
    ["connection", "content-length", "expect", "host", "proxy-authorization", "te", "transfer-encoding", "upgrade"];

/// Refuses headers that are the HTTP client's business: with a false length or a second host, a request would be two.
pub(crate) fn check(params: &Params, param: &Param) -> Result<(), Problem> {
    let ours = params.headers(param.name).find(|(name, _)| OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours)));
    ours.map_or(Ok(()), |(name, _)| {
        let field = format!("params.{}", param.name);
        Err(Problem::field(Code::InvalidParams, field, format!("`{name}` is set by the program itself; leave it out")))
    })
}

/// Headers as they come together.
#[derive(Default)]
pub(crate) struct Headers(Vec<(String, String)>);

impl Headers {
    /// Sets a header in place of an earlier one of that name. A blank value sets nothing.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let value = one_line(value);
        if value.is_empty() {
            return;
        }
        match self.0.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, known)) => *known = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// All of them.
    pub(crate) fn into_vec(self) -> Vec<(String, String)> {
        self.0
    }
}

/// Line breaks and other control characters become spaces: a text must never begin a header of its own.
fn one_line(value: &str) -> String {
    value.replace("\r\n", " ").replace(char::is_control, " ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_begin_a_header_of_its_own() {
        let mut headers = Headers::default();
        headers.set("x-title", "one\r\nx-evil: 1\n\0two ");
        assert_eq!(headers.into_vec(), [("x-title".to_owned(), "one x-evil: 1  two".to_owned())]);
    }

    #[test]
    fn a_later_header_takes_the_place_of_an_earlier_one_and_a_blank_one_does_not() {
        let mut headers = Headers::default();
        headers.set("content-type", "text/plain");
        headers.set("Content-Type", "text/html");
        headers.set("content-type", " ");
        assert_eq!(headers.into_vec(), [("content-type".to_owned(), "text/html".to_owned())]);
    }
}
