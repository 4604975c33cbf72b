//! The `Smtp` port: mails of tenants, each over a connection of its own.
//!
//! Promise: lettre is handed addresses, never a name: those that were judged, or that the operator named, so what is dialled
//! is what was judged. Without the TLS that the mail asks for, neither login nor mail leaves. Every reply has to be the one
//! that its command documents, so replies that somebody slipped in before TLS began make the session fail, and never a
//! success. Left to others: judging addresses ([`crate::resolve`]), naming failures ([`crate::failure`]).

use std::time::Duration;

use async_trait::async_trait;
use bellhop_core::{
    mail::{Login, Mail, Mailed, Server, SmtpReply, Tls, Trust},
    ports::{Sent, Smtp, TransportError},
};
use lettre::{
    Address,
    transport::smtp::{
        authentication::{Credentials, DEFAULT_MECHANISMS, Mechanism},
        client::{AsyncSmtpConnection, Certificate, TlsParameters, TlsParametersBuilder},
        commands,
        extension::ClientId,
        response::Response,
    },
};

use crate::{
    Guard, Settings, SettingsError,
    failure::{Stage, interrupted, invalid, no_starttls, out_of_order, too_slow},
    resolve::{Resolver, System},
};

/// How long a farewell may take that changes nothing any more.
const FAREWELL: Duration = Duration::from_secs(1);

/// The way out for mail.
pub struct SmtpEgress {
    resolver: Resolver,
    extra_ca: Vec<Certificate>,
    connect_timeout: Duration,
    total_timeout: Duration,
}

impl SmtpEgress {
    /// Connects to nobody yet.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let Settings { allow_private, resolve, extra_ca, connect_timeout, total_timeout } = settings;
        let read =
            |(number, file): (usize, &Vec<u8>)| Certificate::from_pem(file).map_err(|_| SettingsError::Certificate { number });
        let extra_ca = (1..).zip(&extra_ca).map(read).collect::<Result<_, _>>()?;
        let resolver = Resolver::new(Guard::new(allow_private), resolve, Box::new(System));
        Ok(Self { resolver, extra_ca, connect_timeout, total_timeout })
    }

    fn tls(&self, server: &Server, trust: Trust) -> Result<TlsParameters, TransportError> {
        let builder = TlsParametersBuilder::new(server.host.clone()).dangerous_accept_invalid_certs(trust == Trust::Anyone);
        let builder = self.extra_ca.iter().cloned().fold(builder, TlsParametersBuilder::add_root_certificate);
        builder.build_rustls().map_err(|error| interrupted(&error, Stage::Connecting))
    }

    /// A connection that is as private as the mail asks for, after the greeting.
    async fn connect(&self, server: &Server) -> Result<AsyncSmtpConnection, Ended> {
        let addresses = self.resolver.targets(&server.host, server.port).await.map_err(TransportError::from)?;
        let (implicit, starttls) = match server.tls {
            Tls::Implicit(trust) => (Some(self.tls(server, trust)?), None),
            Tls::StartTls(trust) => (None, Some(self.tls(server, trust)?)),
            Tls::Off => (None, None),
        };
        // without a name of our own that others could look up: <https://www.rfc-editor.org/rfc/rfc5321#section-4.1.4>
        let hello = ClientId::default();
        let connecting = AsyncSmtpConnection::connect_tokio1(&*addresses, Some(self.connect_timeout), &hello, implicit, None);
        let mut connection = connecting.await.map_err(|error| Ended::by(&error, Stage::Connecting))?;
        if let Some(parameters) = starttls {
            if !connection.can_starttls() {
                quit(connection).await;
                return Err(no_starttls().into());
            }
            connection.starttls(parameters, &hello).await.map_err(|error| Ended::by(&error, Stage::Connecting))?;
        }
        Ok(connection)
    }

    async fn session(&self, mail: &Mail, sent: &mut Sent) -> Result<(Mailed, AsyncSmtpConnection), Ended> {
        let from = address(&mail.from)?;
        let to = mail.to.iter().map(|to| address(to)).collect::<Result<Vec<_>, _>>()?;
        let mut connection = self.connect(&mail.server).await?;
        let answer = match converse(&mut connection, mail, from, to, sent).await {
            Ok(answer) => answer,
            Err(Ended::Refused(reply)) => Mailed::Refused(reply),
            Err(broken @ Ended::Broken(_)) => return Err(broken),
        };
        Ok((answer, connection))
    }
}

#[async_trait]
impl Smtp for SmtpEgress {
    async fn send(&self, mail: &Mail) -> Result<Mailed, TransportError> {
        let mut sent = Sent::No;
        match tokio::time::timeout(self.total_timeout, self.session(mail, &mut sent)).await {
            Ok(Ok((answer, connection))) => {
                quit(connection).await;
                Ok(answer)
            }
            Ok(Err(Ended::Refused(reply))) => Ok(Mailed::Refused(reply)),
            Ok(Err(Ended::Broken(error))) => Err(TransportError { sent, ..error }),
            Err(_) => Err(TransportError { sent, ..too_slow() }),
        }
    }
}

/// Why a session goes no further.
enum Ended {
    /// The server says no.
    Refused(SmtpReply),
    /// It says nothing, or nothing that makes sense.
    Broken(TransportError),
}

impl Ended {
    fn by(error: &lettre::transport::smtp::Error, stage: Stage) -> Self {
        refusal(error).map_or_else(|| Self::Broken(interrupted(error, stage)), Self::Refused)
    }
}

impl From<TransportError> for Ended {
    fn from(error: TransportError) -> Self {
        Self::Broken(error)
    }
}

async fn converse(
    connection: &mut AsyncSmtpConnection,
    mail: &Mail,
    from: Address,
    to: Vec<Address>,
    sent: &mut Sent,
) -> Result<Mailed, Ended> {
    if let Some(login) = &mail.login {
        log_in(connection, login).await?;
    }
    let sender = heard(connection.command(commands::Mail::new(Some(from), Vec::new())).await)?;
    expect(sender, |reply| reply.code == 250)?;
    let mut recipients = Vec::with_capacity(to.len());
    for recipient in to {
        recipients.push(heard(connection.command(commands::Rcpt::new(recipient, Vec::new())).await)?);
    }
    if !recipients.iter().any(SmtpReply::is_positive) || recipients.iter().any(SmtpReply::asks_to_wait) {
        return Ok(Mailed::HeldBack(recipients));
    }
    let ready = heard(connection.command(commands::Data).await)?;
    if ready.code >= 400 {
        return Ok(Mailed::Answered { recipients, message: ready });
    }
    expect(ready, |reply| reply.code == 354)?;
    *sent = Sent::Maybe;
    let message = heard(connection.message(&mail.message).await)?;
    // only 250 is a yes to a message: <https://www.rfc-editor.org/rfc/rfc5321#section-4.3.2>
    if message.code == 250 || message.code >= 400 {
        Ok(Mailed::Answered { recipients, message })
    } else {
        Err(out_of_order().into())
    }
}

async fn log_in(connection: &mut AsyncSmtpConnection, login: &Login) -> Result<(), Ended> {
    let offered = |mechanism: &Mechanism| connection.server_info().supports_auth_mechanism(*mechanism);
    if !DEFAULT_MECHANISMS.iter().any(offered) {
        return Err(invalid("the server takes no login here; look at `host`, `port` and `tls`, or leave out `user`").into());
    }
    let credentials = Credentials::new(login.user.clone(), login.password.clone());
    let reply = heard(connection.auth(DEFAULT_MECHANISMS, &credentials).await)?;
    expect(reply, |reply| reply.code == 235)
}

/// A refusal ends the session, and so does a yes to something else.
fn expect(reply: SmtpReply, is_expected: impl Fn(&SmtpReply) -> bool) -> Result<(), Ended> {
    if is_expected(&reply) {
        Ok(())
    } else if reply.code >= 400 {
        Err(Ended::Refused(reply))
    } else {
        Err(out_of_order().into())
    }
}

/// A reply is a reply, whether it says yes or no.
fn heard(answer: Result<Response, lettre::transport::smtp::Error>) -> Result<SmtpReply, TransportError> {
    match answer {
        Ok(response) => {
            let code = response.code().to_string().parse().map_err(|_| out_of_order())?;
            Ok(SmtpReply { code, text: response.message().collect::<Vec<_>>().join(" ") })
        }
        Err(error) => refusal(&error).ok_or_else(|| interrupted(&error, Stage::Talking)),
    }
}

/// The reply behind an error, if it is one.
fn refusal(error: &lettre::transport::smtp::Error) -> Option<SmtpReply> {
    let code = error.status()?.to_string().parse().ok()?;
    let text = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    Some(SmtpReply { code, text })
}

fn address(text: &str) -> Result<Address, TransportError> {
    text.parse()
        .map_err(|_| invalid("a sender's or recipient's address is none that mail servers take; write `name@example.com`"))
}

/// What was said before stands, however this goes.
async fn quit(mut connection: AsyncSmtpConnection) {
    drop(tokio::time::timeout(FAREWELL, connection.quit()).await);
}
