//! What holds a secret, an address or a text prints none of it.

use std::time::Duration;

use bellhop_core::{
    Timestamp,
    channel::{Body, Context, Method, Outgoing, Params, Reply, Step},
    mail::{Login, Mail, Server, SmtpReply, Tls},
    model::{AccountId, ChannelId, Former, Name, Picture, Registration},
    ses::SesMail,
    socket::Frame,
    token::{Credential, Good, Held, Secret, Slot, Token, TokenKey, Wish},
};
use serde_json::json;

const PLANTED: &str = "planted-7c1e";

fn text() -> String {
    PLANTED.to_owned()
}

fn params() -> Params {
    serde_json::from_value(json!({ "url": PLANTED, "headers": { PLANTED: PLANTED } })).expect("params are an object")
}

fn registration() -> Registration {
    let (account, name) = (AccountId::parse("main").expect("a name"), Name::parse("phone").expect("a name"));
    Registration::unsaved(account, name, ChannelId::new("probe"), params(), Timestamp::UNIX_EPOCH)
}

fn outgoing() -> Outgoing {
    Outgoing { method: Method::Post, url: text(), headers: vec![(text(), text())], body: Body::Json(text()), proxy: Some(text()) }
}

fn mail() -> Mail {
    let login = Some(Login { user: text(), password: text() });
    let server = Server { host: "smtp.example.org".to_owned(), port: 465, tls: Tls::Off };
    Mail { server, login, from: text(), to: vec![text()], message: text().into_bytes() }
}

#[test]
fn what_holds_a_secret_prints_none_of_it() {
    let now = Timestamp::UNIX_EPOCH;
    let secret = || Secret::new(PLANTED);
    let token = || Token { value: secret(), lasts: Duration::from_hours(2) };
    let good = || Good::of(token(), now);
    let key =
        TokenKey { account: registration().account, channel: registration().channel, credential: Credential::of(&[PLANTED]) };
    let next = Registration { params: Params::default(), version: 2, ..registration() };
    let former: Former = registration().former(&next).expect("it has changed");
    let context = Context {
        now,
        chance: 7,
        time_zone: jiff::tz::TimeZone::UTC,
        locale: "en".to_owned(),
        done: 0,
        default_image_url: None,
        fixed: Vec::new(),
        token: Some(secret()),
        connection: None,
        vapid: None,
    };
    let reply = Reply { status: 200, headers: vec![(text(), text())], body: text().into_bytes() };
    let ses = SesMail {
        region: None,
        configuration_set: None,
        tags: vec![(text(), text())],
        from: text(),
        to: vec![text()],
        message: text().into_bytes(),
    };
    let printed = [
        format!("{:?}", params()),
        format!("{:?}", registration()),
        format!("{former:?}"),
        format!("{:?}", secret()),
        format!("{:?}", key.credential),
        format!("{key:?}"),
        format!("{:?}", token()),
        format!("{:?} {:?}", Slot::Good(good()), Held::Token(good())),
        format!("{:?}", Wish { by: 7, refused: Some(secret()), now }),
        format!("{context:?}"),
        format!("{:?} {:?}", outgoing(), Step::Call(outgoing())),
        format!("{reply:?}"),
        format!("{:?} {:?}", mail(), mail().login),
        format!("{:?}", SmtpReply { code: 550, text: text() }),
        format!("{:?}", Frame { url: text(), headers: vec![(text(), text())], text: text() }),
        format!("{ses:?}"),
        format!("{:?}", Picture(text().into_bytes().into())),
    ];
    let hash = key.credential.to_string();
    for printed in printed {
        assert!(!printed.is_empty());
        assert!(!printed.contains(PLANTED) && !printed.contains(&hash), "{printed}");
        assert!(!printed.contains("112, 108, 97, 110"), "its bytes: {printed}");
    }
}
