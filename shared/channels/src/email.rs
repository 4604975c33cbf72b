//! Mail through any SMTP server: the tenant's own, or a provider's by its name.
//!
//! The server takes one message for all recipients and answers for each; what that means is [`verdict`]'s business, how the
//! message is written [`mime`]'s. Without `tls`, port 465 means TLS from the first byte and every other port STARTTLS,
//! without which nothing is sent; nothing goes in clear that was not asked to. Left to others: carrying it
//! (`shared/egress`).

mod mime;
mod presets;
mod spec;
mod verdict;

#[cfg(test)]
mod tests;

use core::net::IpAddr;

use bellhop_core::{
    Code, Problem, Reason, Retry, SendError,
    channel::{Channel, Context, Message, Param, Params, Reply, Spec, Step},
    mail::{Login, Mail, Mailed, Receipt, Server, Tls, Trust},
};
pub(crate) use mime::{picture_type, subject, write};
use presets::{Preset, Security};
pub(crate) use spec::SPEC;
use url::Host;

use crate::{
    mailbox::Mailbox,
    param::{HTML, with_picture},
};

/// Servers have to take so many: <https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.8>
const MOST_RECIPIENTS: usize = 100;

/// <https://www.rfc-editor.org/rfc/rfc6409#section-3.1>
const SUBMISSION: u16 = 587;

/// <https://www.rfc-editor.org/rfc/rfc8314#section-3.3>
const SUBMISSIONS: u16 = 465;

/// The channel `email`.
pub(crate) struct Email;

impl Channel for Email {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn step(&self, cx: &Context, message: &Message, params: &Params, _so_far: &[Reply]) -> Step {
        mail(cx, &with_picture(cx, message, params), params).map_or_else(Step::Fail, |mail| Step::Mail(Box::new(mail)))
    }

    fn mailed(&self, message: &Message, answer: &Mailed) -> Result<Receipt, SendError> {
        verdict::judge(answer, message.address.is_none())
    }
}

fn check(params: &Params) -> Result<(), Problem> {
    let checked = server(params).and(login(params).map(drop)).and(sender(params).map(drop)).and(own_recipients(params).map(drop));
    checked.map_err(|Unusable { param, detail }| Problem::field(Code::InvalidParams, format!("params.{param}"), detail))
}

/// A parameter that makes no mail.
struct Unusable {
    param: &'static str,
    detail: String,
}

impl Unusable {
    fn new(param: &Param, detail: impl Into<String>) -> Self {
        Self { param: param.name, detail: detail.into() }
    }
}

impl From<Unusable> for SendError {
    fn from(Unusable { param, detail }: Unusable) -> Self {
        Self::new(Reason::InvalidParams, Retry::Never, format!("`{param}` of the registration: {detail}"))
    }
}

fn mail(cx: &Context, message: &Message, params: &Params) -> Result<Mail, SendError> {
    let from = sender(params)?;
    let to = match message.address {
        None => own_recipients(params)?,
        Some(address) => Mailbox::parse(&address.value).into_iter().collect(),
    };
    if to.is_empty() {
        let (reason, detail) = match message.address {
            None => (Reason::InvalidParams, "there is no recipient: set `to`, or send to `email:` and an address"),
            Some(_) => (Reason::Rejected, "the recipient is no address that mail servers take; write `email:name@example.com`"),
        };
        return Err(SendError::new(reason, Retry::Never, detail));
    }
    Ok(Mail {
        server: server(params)?,
        login: login(params)?,
        message: mime::write(cx, message, &from, &to, params.text(HTML.name)),
        from: from.address,
        to: to.into_iter().map(|mailbox| mailbox.address).collect(),
    })
}

fn server(params: &Params) -> Result<Server, Unusable> {
    let preset = preset(params)?;
    let host = match (params.text(spec::HOST.name), preset) {
        (Some(host), _) => {
            host_name(host).ok_or_else(|| Unusable::new(&spec::HOST, "it takes a host name such as `smtp.example.com`"))?
        }
        (None, Some(preset)) => preset.host.to_owned(),
        (None, None) => {
            let detail = "set `host`, or `service` for a provider of which we know it; the address of `user` does not tell";
            return Err(Unusable::new(&spec::HOST, detail));
        }
    };
    let in_range = |port| u16::try_from(port).ok().filter(|port| *port > 0);
    let no_port = || Unusable::new(&spec::PORT, "it takes a number from 1 to 65535");
    let own_port = params.number(spec::PORT.name).map(|port| in_range(port).ok_or_else(no_port)).transpose()?;
    let port = own_port.or(preset.map(|preset| preset.port)).unwrap_or(SUBMISSION);
    let security = match params.text(spec::TLS.name) {
        Some("implicit") => Security::Implicit,
        Some("starttls") => Security::StartTls,
        Some("none") => Security::Off,
        _ => match preset {
            Some(preset) if preset.port == port => preset.security,
            _ if port == SUBMISSIONS => Security::Implicit,
            _ => Security::StartTls,
        },
    };
    let trust = if params.flag(spec::SKIP_VERIFY.name, false) { Trust::Anyone } else { Trust::Verified };
    let tls = match security {
        Security::Implicit => Tls::Implicit(trust),
        Security::StartTls => Tls::StartTls(trust),
        Security::Off => Tls::Off,
    };
    Ok(Server { host, port, tls })
}

/// The provider that is named, or that the user's address belongs to.
fn preset(params: &Params) -> Result<Option<Preset>, Unusable> {
    match (params.text(spec::SERVICE.name), params.text(spec::HOST.name)) {
        (Some(service), _) => {
            let unknown =
                || Unusable::new(&spec::SERVICE, format!("it takes one of {}; for others set `host`", presets::names()));
            presets::find(service).map(Some).ok_or_else(unknown)
        }
        (None, Some(_)) => Ok(None),
        (None, None) => {
            let user = params.text(spec::USER.name).or(params.text(spec::FROM.name)).and_then(Mailbox::parse);
            Ok(user.and_then(|user| presets::find(user.domain())))
        }
    }
}

/// A name or an address, as it is looked up and as a certificate bears it.
fn host_name(text: &str) -> Option<String> {
    if let Ok(address) = text.trim().parse::<IpAddr>() {
        return Some(address.to_string());
    }
    match Host::parse(text.trim()).ok()? {
        Host::Domain(name) => Some(name),
        Host::Ipv4(address) => Some(address.to_string()),
        Host::Ipv6(address) => Some(address.to_string()),
    }
}

fn login(params: &Params) -> Result<Option<Login>, Unusable> {
    match (params.text(spec::USER.name), params.text(spec::PASSWORD.name)) {
        (None, None) => Ok(None),
        (Some(user), Some(password)) => Ok(Some(Login { user: user.trim().to_owned(), password: password.to_owned() })),
        (Some(_), None) => Err(Unusable::new(&spec::PASSWORD, "set it, too, or leave out `user`")),
        (None, Some(_)) => Err(Unusable::new(&spec::USER, "set it, too, or leave out `password`")),
    }
}

fn sender(params: &Params) -> Result<Mailbox, Unusable> {
    let detail = "it takes `name@example.com` or `Name <name@example.com>`";
    match (params.text(spec::FROM.name), params.text(spec::USER.name)) {
        (Some(from), _) => Mailbox::parse(from).ok_or_else(|| Unusable::new(&spec::FROM, detail)),
        (None, user) => {
            let missing = || Unusable::new(&spec::FROM, format!("`user` is no address, so it has to be set; {detail}"));
            user.and_then(Mailbox::parse).ok_or_else(missing)
        }
    }
}

fn own_recipients(params: &Params) -> Result<Vec<Mailbox>, Unusable> {
    let to = params.list(spec::TO.name);
    if to.len() > MOST_RECIPIENTS {
        return Err(Unusable::new(&spec::TO, format!("it takes at most {MOST_RECIPIENTS} addresses")));
    }
    let read = to.iter().map(|to| Mailbox::parse(to)).collect::<Option<_>>();
    read.ok_or_else(|| Unusable::new(&spec::TO, "it takes a list of addresses such as `name@example.com`"))
}
